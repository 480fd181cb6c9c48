"""udp_initiator.py JOB: a SOCKS5 client with GSS-API (RFC 1961) and a UDP association. JOB and what it prints are JSON.

Job: proxy [host, port], targets (list of [host, port] that echo); service, level, nec, mech, flags as initiator.py has
them, but without "sequence" (RFC 1961 section 3.2: not for UDP clients); count (datagrams to each target, 10), size
(octets of each, 100), misbehave (null or one of MISBEHAVIOURS: what is sent along with each datagram, to be dropped).
Each datagram's echo is waited for before the next is sent, and nothing but echoes may come.
Result: agreed, rep, bound, answers (list of [host, port, count]), closed (whether the relay's port was after the TCP
connection's end), or error and stage.
"""
import json
import socket
import struct
import sys
import time

import gssapi

from initiator import establish, negotiate_level
from socks_gss import DATA, NONE, PeerError, frame, pack_address, read_message

ASSOCIATE = 3
MISBEHAVIOURS = ("replay", "fragment", "clear", "tamper", "integrity-only")


# RFC 1928 section 7: RSV (2) | FRAG | ATYP | address | port | data.
def pack_datagram(host, port, data, frag=0):
    return bytes([0, 0, frag]) + pack_address(host, port) + data


def unpack_datagram(datagram):
    if datagram[:3] != b"\0\0\0":
        raise PeerError("RSV and FRAG are %s" % datagram[:3].hex())
    if datagram[3] == 3:
        raise PeerError("an answer from a name")
    family, size = {1: (socket.AF_INET, 4), 4: (socket.AF_INET6, 16)}[datagram[3]]
    host = socket.inet_ntop(family, datagram[4 : 4 + size])
    return host, struct.unpack("!H", datagram[4 + size : 6 + size])[0], datagram[6 + size :]


class Datagrams:
    """UDP under per-message protection: each datagram is one frame of RFC 1961 section 5."""

    def __init__(self, relay, protected):
        self.protected = protected
        self.socket = socket.socket(socket.AF_INET6 if ":" in relay[0] else socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.settimeout(20)
        self.socket.connect(tuple(relay))

    def send(self, plain, misbehave=None):
        seal = self.protected.seal
        if misbehave == "clear":
            self.socket.send(plain)
        elif misbehave == "fragment":
            self.socket.send(seal(plain[:2] + b"\x81" + plain[3:]))
        elif misbehave == "integrity-only":
            self.socket.send(seal(plain, False))
        elif misbehave == "tamper":
            sealed = seal(plain)
            self.socket.send(sealed[:-1] + bytes([sealed[-1] ^ 1]))
        sealed = seal(plain)
        self.socket.send(sealed)
        if misbehave == "replay":
            self.socket.send(sealed)

    def receive(self):
        datagram = self.socket.recv(65535)
        if self.protected.level == NONE:
            return unpack_datagram(datagram)
        if datagram[:4] != frame(DATA, datagram[4:])[:4]:
            raise PeerError("not one frame: %s" % datagram[:4].hex())
        message, confidential, _ = self.protected.context.unwrap(datagram[4:])
        if confidential != (self.protected.level == 2):
            raise PeerError("conf_state is %s under level %d" % (confidential, self.protected.level))
        return unpack_datagram(message)

    def refused(self, plain):
        self.socket.settimeout(0.05)
        try:
            self.send(plain)
            self.receive()
        except ConnectionRefusedError:
            return True
        except socket.timeout:
            pass
        return False


def run(job, result):
    misbehave = job.get("misbehave")
    if misbehave is not None and misbehave not in MISBEHAVIOURS:
        raise ValueError(misbehave)
    job.setdefault("flags", ["mutual", "replay", "confidentiality", "integrity"])
    stream = socket.create_connection(tuple(job["proxy"]), timeout=20)
    protected = negotiate_level(stream, establish(stream, job, result), job, result)
    result["stage"] = "request"
    protected.sendall(bytes([5, ASSOCIATE, 0]) + pack_address("0.0.0.0", 0))
    result["rep"], *result["bound"] = read_message(protected)
    if result["rep"] != 0:
        return
    result["stage"] = "data"
    datagrams = Datagrams(result["bound"], protected)
    answers = {}
    for number in range(job.get("count", 10)):
        for host, port in job["targets"]:
            data = (b"%d to %s " % (number, host.encode())).ljust(job.get("size", 100), b".")
            datagrams.send(pack_datagram(host, port, data), misbehave)
            source, source_port, echo = datagrams.receive()
            if echo != data:
                raise PeerError("not the echo of %r: %r" % (data[:30], echo[:30]))
            answers[source, source_port] = answers.get((source, source_port), 0) + 1
    result["answers"] = [[host, port, count] for (host, port), count in answers.items()]
    result["stage"] = "end"
    # The association ends with its TCP connection, perhaps a moment later: the kernel then refuses for the relay's port.
    stream.shutdown(socket.SHUT_WR)
    if stream.recv(1):
        raise PeerError("data on TCP after the reply")
    result["closed"] = False
    until = time.monotonic() + 20
    while not result["closed"] and time.monotonic() < until:
        result["closed"] = datagrams.refused(pack_datagram(*job["targets"][0], b"too late"))
    result["stage"] = "done"


if __name__ == "__main__":
    outcome = {"stage": "connect"}
    try:
        run(json.loads(sys.argv[1]), outcome)
    except (PeerError, OSError, gssapi.exceptions.GSSError) as problem:
        outcome["error"] = "%s: %s" % (type(problem).__name__, problem)
    print(json.dumps(outcome))
