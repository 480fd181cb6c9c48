"""What initiator.py and acceptor.py share: frames of RFC 1961, addresses of RFC 1928. Written from the RFCs alone."""
import socket
import struct

TOKEN, LEVEL, DATA = 1, 2, 3  # mtyp: context establishment, protection level, per-message protection
NONE, INTEGRITY, CONFIDENTIALITY = 0, 1, 2


class PeerError(Exception):
    """The other end aborted, or broke the protocol."""


def read_exactly(stream, count):
    data = b""
    while len(data) < count:
        chunk = stream.recv(count - len(data))
        if not chunk:
            raise PeerError("closed" if not data else "closed inside a message")
        data += chunk
    return data


# ver | mtyp | len (2) | token, RFC 1961 sections 3 to 5; 01 ff alone is an abort.
def frame(mtyp, token):
    return struct.pack("!BBH", 1, mtyp, len(token)) + token


def read_frame(stream, mtyp):
    head = read_exactly(stream, 2)
    if head == b"\x01\xff":
        raise PeerError("abort")
    if head != bytes([1, mtyp]):
        raise PeerError("not mtyp %d: %s" % (mtyp, head.hex()))
    return read_exactly(stream, struct.unpack("!H", read_exactly(stream, 2))[0])


# RFC 1928 section 5: ATYP | address | port. The request and the reply begin with three octets more.
def pack_address(host, port):
    try:
        return b"\x01" + socket.inet_pton(socket.AF_INET, host) + struct.pack("!H", port)
    except OSError:
        return b"\x03" + bytes([len(host)]) + host.encode() + struct.pack("!H", port)


def read_message(stream):
    """A request or a reply: its second octet (CMD or REP), host and port."""
    _, code, _, atyp = read_exactly(stream, 4)
    if atyp == 3:
        host = read_exactly(stream, read_exactly(stream, 1)[0]).decode()
    else:
        family, size = {1: (socket.AF_INET, 4), 4: (socket.AF_INET6, 16)}[atyp]
        host = socket.inet_ntop(family, read_exactly(stream, size))
    return code, host, struct.unpack("!H", read_exactly(stream, 2))[0]


class Protected:
    """A byte stream under per-message protection. An agreed level of none is the plain socket."""

    def __init__(self, stream, context, level):
        self.stream, self.context, self.level, self.rest = stream, context, level, b""

    def seal(self, data, confidential=None):
        if self.level == NONE:
            return data
        if confidential is None:
            confidential = self.level == CONFIDENTIALITY
        return frame(DATA, self.context.wrap(data, confidential).message)

    def sendall(self, data):
        for start in range(0, len(data), 60000):
            self.stream.sendall(self.seal(data[start : start + 60000]))

    def recv(self, count):
        """Empty at the end of the stream, which may not be inside a token."""
        if self.level == NONE:
            return self.stream.recv(count)
        while not self.rest:
            try:
                token = read_frame(self.stream, DATA)
            except PeerError as error:
                if str(error) == "closed":
                    return b""
                raise
            message, confidential, _ = self.context.unwrap(token)
            if confidential != (self.level == CONFIDENTIALITY):
                raise PeerError("conf_state is %s under level %d" % (confidential, self.level))
            self.rest = message
        data, self.rest = self.rest[:count], self.rest[count:]
        return data
