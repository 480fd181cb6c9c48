"""ident_asker.py OWN_ADDRESS IDENTD_ADDRESS IDENTD_PORT [PEER_ADDRESS PEER_PORT]: who is at the other end?

Asks an Ident server (RFC 1413) about each TCP connection that it has, while that is open, and sends the answer there.
It connects to the peer, once, or listens on its own address and says "listening on PORT".
"""
import socket
import sys

own, identd, identd_port, *peer = sys.argv[1:]


def serve(connection):
    with connection, socket.create_connection((identd, int(identd_port)), source_address=(own, 0)) as query:
        query.sendall(b"%d,%d\r\n" % (connection.getpeername()[1], connection.getsockname()[1]))
        connection.sendall(query.makefile("rb").readline())


if peer:
    serve(socket.create_connection((peer[0], int(peer[1])), source_address=(own, 0)))
else:
    server = socket.create_server((own, 0))
    print("listening on", server.getsockname()[1], flush=True)
    while True:
        serve(server.accept()[0])
