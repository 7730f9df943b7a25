# shellcheck shell=bash
# What Ctrl-C does to the scripts that leave everything as it was then; sourced behind lib.sh, never run.
#
# What these scripts run has one command substitution in a command, not two as in [ "$(a)" = "$(b)" ]: after Ctrl-C in
# the first one bash 5.2 reads the trap as a part of the second, and ends with "unexpected EOF".

END_COMMAND=
INTERRUPT_WORDS=()

# on_end COMMAND DOING DONE: COMMAND cleans up, however the script ends. After Ctrl-C, DOING is said before it and
# DONE behind it. To descriptor 8, as standard error may be redirected wherever that happens.
on_end() {
	END_COMMAND=$1
	INTERRUPT_WORDS=("$2" "$3")
	exec 8>&2
	trap end EXIT
	trap interrupted INT TERM HUP
}

# Not in a child that is killed before bash has reset its traps.
end() {
	[ "$BASHPID" = "$$" ] || return 0
	"$END_COMMAND"
}

interrupted() {
	local job
	[ "$BASHPID" = "$$" ] || exit 130
	# the second one stops the cleaning; it must not begin it anew
	trap - EXIT INT TERM HUP
	for job in $(jobs -p); do
		kill "$job" 2>/dev/null || true
	done
	printf '\ninterrupted; %s\n' "${INTERRUPT_WORDS[0]}" >&8
	"$END_COMMAND"
	printf '%s\n' "${INTERRUPT_WORDS[1]}" >&8
	exit 130
}

# undisturbed COMMAND...: to its end, exit 3 when it fails. It runs in a process group of its own, which the keys of
# the terminal do not reach. To ignore signals is not enough: git takes its lock files away at each of them, and
# goes on without. As the shell that runs it is another one, its variables are lost.
DISTURBED=no
undisturbed() {
	local pid rc
	trap disturbed INT TERM HUP
	set -m
	(
		trap - INT TERM HUP
		"$@"
	) </dev/null 8>&- &
	pid=$!
	set +m
	while :; do
		DISTURBED=no rc=0
		wait "$pid" || rc=$?
		[ "$DISTURBED" = yes ] || break
	done
	trap interrupted INT TERM HUP
	[ "$rc" -eq 0 ] || exit 3
	INTERRUPT_WORDS=("all is done but the cleaning" "what was asked for is done")
}

disturbed() {
	DISTURBED=yes
	printf '\ntoo late to interrupt: the last step is being done, and takes a moment\n' >&8
}
