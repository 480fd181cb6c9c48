"""initiator.py JOB: a SOCKS5 client with GSS-API (RFC 1961), for one connection. JOB and what it prints are JSON.

Job: proxy [host, port], target [host, port]; service (rcmd@localhost), level (2), nec (false), mech (null: krb5, or
"spnego"), flags (["mutual", "replay", "sequence", "confidentiality", "integrity"]; also "dce", "delegate"),
send (octets of a pattern to send and to have echoed, 1000), half_close (true: end sending, then read to the end),
misbehave (null or one of MISBEHAVIOURS).
Result: legs, flags, agreed, rep, bound, echoed (octets), same (whether they are those sent), or error and stage.
"""
import json
import socket
import sys
import threading

import gssapi

from socks_gss import LEVEL, TOKEN, Protected, PeerError, frame, pack_address, read_exactly, read_frame, read_message

FLAGS = {"delegate": 1, "mutual": 2, "replay": 4, "sequence": 8, "confidentiality": 16, "integrity": 32, "dce": 4096}
MECHS = {None: "1.2.840.113554.1.2.2", "spnego": "1.3.6.1.5.5.2"}
# request-split: the request in two tokens. data-in-request: the first data in the request's token. Both are allowed.
MISBEHAVIOURS = ("request-split", "data-in-request", "replay", "swap", "tamper", "truncate", "integrity-only")


def establish(stream, job, result):
    result["stage"] = "method"
    stream.sendall(b"\x05\x01\x01")
    answer = read_exactly(stream, 2)
    if answer != b"\x05\x01":
        raise PeerError("method %s" % answer.hex())
    result["stage"] = "context"
    wanted = job.get("flags", ["mutual", "replay", "sequence", "confidentiality", "integrity"])
    context = gssapi.SecurityContext(
        name=gssapi.Name(job.get("service", "rcmd@localhost"), gssapi.NameType.hostbased_service),
        flags=sum(FLAGS[flag] for flag in wanted),
        mech=gssapi.OID.from_int_seq(MECHS[job.get("mech")]),
        usage="initiate",
    )
    token = context.step()
    result["legs"] = 0
    while token or not context.complete:
        stream.sendall(frame(TOKEN, token or b""))
        reply = read_frame(stream, TOKEN)
        result["legs"] += 2
        # Empty: the acceptor completed without output.
        token = context.step(reply) if reply else None
        if not reply and not context.complete:
            raise PeerError("an empty token before the context is complete")
    result["flags"] = int(context.actual_flags)
    return context


def negotiate_level(stream, context, job, result):
    result["stage"] = "level"
    offer = bytes([job.get("level", 2)])
    nec = job.get("nec", False)
    stream.sendall(frame(LEVEL, offer if nec else context.wrap(offer, False).message))
    answer = read_frame(stream, LEVEL)
    result["agreed"] = (answer if nec else context.unwrap(answer).message)[0]
    return Protected(stream, context, result["agreed"])


def first_data(protected, data, misbehave):
    """The wire octets of `data` in four tokens at least, as the job wants them."""
    quarter = max(1, min(60000, len(data) // 4))
    pieces = [data[i : i + quarter] for i in range(0, len(data), quarter)]
    tokens = [protected.seal(piece, False if misbehave == "integrity-only" else None) for piece in pieces]
    if misbehave == "replay":
        tokens.insert(1, tokens[0])
    elif misbehave == "swap":
        tokens[0], tokens[1] = tokens[1], tokens[0]
    elif misbehave == "tamper":
        tokens[0] = tokens[0][:-1] + bytes([tokens[0][-1] ^ 1])
    elif misbehave == "truncate":
        tokens[0] = frame(3, tokens[0][4:-8])
    return b"".join(tokens)


def run(job, result):
    misbehave = job.get("misbehave")
    if misbehave is not None and misbehave not in MISBEHAVIOURS:
        raise ValueError(misbehave)
    stream = socket.create_connection(tuple(job["proxy"]), timeout=20)
    protected = negotiate_level(stream, establish(stream, job, result), job, result)
    result["stage"] = "request"
    request = b"\x05\x01\x00" + pack_address(*job["target"])
    data = bytes(i * 7 % 251 for i in range(job.get("send", 1000)))
    in_request = data[:100] if misbehave == "data-in-request" else b""
    if misbehave == "request-split":
        stream.sendall(protected.seal(request[:5]) + protected.seal(request[5:]))
    else:
        stream.sendall(protected.seal(request + in_request))
    rep, *result["bound"] = read_message(protected)
    result["rep"] = rep
    if rep != 0:
        return
    result["stage"] = "data"
    wire = first_data(protected, data[len(in_request) :], misbehave)

    def send():
        try:
            stream.sendall(wire)
            if job.get("half_close", True):
                stream.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # the other end closed; the reader finds out why

    sender = threading.Thread(target=send)
    sender.start()
    echo = b""
    while len(echo) < len(data) or job.get("half_close", True):
        chunk = protected.recv(65536)
        if not chunk:
            break
        echo += chunk
        result["echoed"] = len(echo)
    sender.join()
    result["same"] = echo == data
    result["stage"] = "done"


if __name__ == "__main__":
    outcome = {"stage": "connect", "echoed": 0}
    try:
        run(json.loads(sys.argv[1]), outcome)
    except (PeerError, OSError, gssapi.exceptions.GSSError) as problem:
        outcome["error"] = "%s: %s" % (type(problem).__name__, problem)
    print(json.dumps(outcome))
