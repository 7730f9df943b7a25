# SPDX-License-Identifier: GPL-2.0
"""make bench: what the series costs, and how fast a program ends the machine, beside the alternatives."""
