"""acceptor.py JOB: a SOCKS5 server with GSS-API (RFC 1961) that serves until it is stopped. JOB and its output are JSON.

Job: answer (null: the level offered; else the level to answer, whatever was offered), nec (false), misbehave (null or
one of MISBEHAVIOURS). The key comes from KRB5_KTNAME; METHOD 1 is asked for whatever the client offers.
Output: {"port": n} once it listens on 127.0.0.1, then one line per connection as they end: ended (0, 1, ...),
initiator, flags (ret_flags), offered, agreed, target, up and down (octets), error.
"""
import itertools
import json
import socket
import sys
import threading

import gssapi

from socks_gss import DATA, LEVEL, TOKEN, Protected, PeerError, frame, pack_address, read_exactly, read_frame, read_message

# When it does what: empty-token instead of its last token (so that it is never authenticated), garbage-token during
# context establishment; abort at the token or the level; garbage, or the other conf_state, in the data; trailing: the
# first data of the destination in the reply's token (which is allowed); cut: closes inside a token.
MISBEHAVIOURS = ("empty-token", "garbage-token", "abort-token", "abort-level", "garbage-data", "wrong-conf", "trailing", "cut")


printing, ended = threading.Lock(), itertools.count()


def establish(client, misbehave):
    methods = read_exactly(client, read_exactly(client, 2)[1])
    if 1 not in methods:
        client.sendall(b"\x05\xff")
        raise PeerError("METHOD 1 is not offered")
    client.sendall(b"\x05\x01")
    context = gssapi.SecurityContext(creds=gssapi.Credentials(usage="accept"), usage="accept")
    while not context.complete:
        reply = context.step(read_frame(client, TOKEN))
        if misbehave == "abort-token":
            raise PeerError("abort-token")
        if misbehave == "garbage-token":
            reply = b"\x60\x03\x06\x01\x00" * 20
        if misbehave == "empty-token" and context.complete:
            reply = b""
        # Empty only where the context is complete without output.
        client.sendall(frame(TOKEN, reply or b""))
    return context


def agree(client, context, job, result):
    token = read_frame(client, LEVEL)
    result["offered"] = (token if job.get("nec") else context.unwrap(token).message)[0]
    if job.get("misbehave") == "abort-level":
        raise PeerError("abort-level")
    answer = job.get("answer")
    result["agreed"] = result["offered"] if answer is None else answer
    level = bytes([result["agreed"]])
    client.sendall(frame(LEVEL, level if job.get("nec") else context.wrap(level, False).message))
    return Protected(client, context, result["agreed"])


def upstream(protected, destination, result):
    try:
        while data := protected.recv(65536):
            destination.sendall(data)
            result["up"] += len(data)
    except (PeerError, OSError, gssapi.exceptions.GSSError) as problem:
        result["error"] = "%s: %s" % (type(problem).__name__, problem)
    try:
        destination.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # it closed first


def downstream(protected, destination, job, result):
    misbehave, client = job.get("misbehave"), protected.stream
    while data := destination.recv(60000):
        result["down"] += len(data)
        if misbehave == "wrong-conf":
            client.sendall(protected.seal(data, protected.level != 2))
        elif misbehave == "garbage-data":
            client.sendall(frame(DATA, b"\x05\x04" * 40))
        elif misbehave == "cut":
            client.sendall(protected.seal(data)[:-4])
            return
        else:
            protected.sendall(data)
    client.shutdown(socket.SHUT_WR)


def serve(client, job):
    result = {"up": 0, "down": 0}
    try:
        context = establish(client, job.get("misbehave"))
        result["initiator"] = str(context.initiator_name)
        result["flags"] = int(context.actual_flags)
        protected = agree(client, context, job, result)
        _, *result["target"] = read_message(protected)
        try:
            destination = socket.create_connection(tuple(result["target"]), timeout=20)
        except OSError:
            protected.sendall(b"\x05\x05\x00" + pack_address("0.0.0.0", 0))
            raise
        up = threading.Thread(target=upstream, args=(protected, destination, result))
        up.start()
        reply = b"\x05\x00\x00" + pack_address(*destination.getsockname())
        if job.get("misbehave") == "trailing":
            first = destination.recv(60000)
            result["down"] += len(first)
            reply += first
        protected.sendall(reply)
        downstream(protected, destination, job, result)
        if job.get("misbehave") == "cut":
            client.shutdown(socket.SHUT_WR)
        up.join()
    except (PeerError, OSError, gssapi.exceptions.GSSError) as problem:
        result["error"] = "%s: %s" % (type(problem).__name__, problem)
        if "abort" in str(job.get("misbehave")) or isinstance(problem, gssapi.exceptions.GSSError):
            client.sendall(b"\x01\xff")
    client.close()
    with printing:
        print(json.dumps({"ended": next(ended), **result}), flush=True)


if __name__ == "__main__":
    work = json.loads(sys.argv[1] if len(sys.argv) > 1 else "{}")
    if work.get("misbehave") not in (None, *MISBEHAVIOURS):
        sys.exit("no such misbehaviour: %s" % work["misbehave"])
    listener = socket.create_server(("127.0.0.1", 0))
    print(json.dumps({"port": listener.getsockname()[1]}), flush=True)
    while True:
        threading.Thread(target=serve, args=(listener.accept()[0], work), daemon=True).start()
