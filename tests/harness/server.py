#!/usr/bin/env python3
"""Serve a directory on a free port of 127.0.0.1 and print the port.

usage: server.py DIRECTORY

While DIRECTORY/truncate exists, tarballs are announced whole and sent by half.
"""

import functools
import http.server
import os
import sys


class Handler(http.server.SimpleHTTPRequestHandler):
    def copyfile(self, source, outputfile):
        if not self.path.endswith(".tar.xz") or not os.path.exists(
            os.path.join(self.directory, "truncate")
        ):
            super().copyfile(source, outputfile)
            return
        data = source.read()
        outputfile.write(data[: len(data) // 2])
        self.close_connection = True

    def log_message(self, format, *args):
        pass


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    handler = functools.partial(Handler, directory=sys.argv[1])
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        print(server.server_address[1], flush=True)
        server.serve_forever()


main()
