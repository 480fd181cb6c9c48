"""pysocks.py JOB: one exchange with an echo through a SOCKS proxy, by PySocks. JOB and its output are JSON.

Job: version (4 or 5), proxy and target ([host, port]), remote_dns (true), user and password (null), udp (false), send
(octets). Output: echoed (octets that came back the same), error (null, or the class and text of what was raised).
"""
import json
import os
import socket
import sys

import socks

PATIENCE = 20


def tcp(connection, octets):
    connection.sendall(octets)
    connection.shutdown(socket.SHUT_WR)
    chunks = []
    while chunk := connection.recv(65536):
        chunks.append(chunk)
    return b"".join(chunks)


def udp(connection, octets, target):
    connection.sendto(octets, target)
    data, _ = connection.recvfrom(65536)
    return data


def main(job):
    host, port = job["target"]
    family = socket.AF_INET6 if ":" in job["proxy"][0] else socket.AF_INET
    kind = socket.SOCK_DGRAM if job.get("udp") else socket.SOCK_STREAM
    octets = os.urandom(job.get("send", 100_000))
    result = {"echoed": 0, "error": None}
    with socks.socksocket(family, kind) as connection:
        connection.settimeout(PATIENCE)
        version = socks.SOCKS4 if job["version"] == 4 else socks.SOCKS5
        connection.set_proxy(
            version, *job["proxy"], rdns=job.get("remote_dns", True), username=job.get("user"), password=job.get("password")
        )
        try:
            if kind == socket.SOCK_DGRAM:
                answer = udp(connection, octets, (host, port))
            else:
                connection.connect((host, port))
                answer = tcp(connection, octets)
            if answer == octets:
                result["echoed"] = len(octets)
        except (socks.ProxyError, OSError) as error:
            result["error"] = f"{type(error).__name__}: {error}"
    return result


print(json.dumps(main(json.loads(sys.argv[1]))))
