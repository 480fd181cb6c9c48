"""through.py JOB: fetches pages and asks a DNS server through a proxy, with what others wrote. JOB and its output are JSON.

Job: proxy ([host, port]), and either urls and authority (a PEM file) with a way: "requests-socks5h", "requests-socks4a",
"requests-http", "urllib" (which goes where the environment says); or names and server ([address, port]) with the way
"dnspython", over UDP by PySocks. Output: for each URL [octets, SHA-256]; for each name its addresses, in order.
"""
import hashlib
import json
import ssl
import sys
import urllib.request

WAYS = {"requests-socks5h": "socks5h", "requests-socks4a": "socks4a", "requests-http": "http"}
PATIENCE = 20


def told(page):
    return [len(page), hashlib.sha256(page).hexdigest()]


def by_requests(job):
    import requests

    host, port = job["proxy"]
    proxy = f"{WAYS[job['way']]}://{host}:{port}"
    with requests.Session() as session:
        # The environment would put the proxy aside for what is on this machine.
        session.trust_env = False
        session.proxies = {"http": proxy, "https": proxy}
        session.verify = job["authority"]
        return [told(session.get(url, timeout=PATIENCE).content) for url in job["urls"]]


def by_urllib(job):
    context = ssl.create_default_context(cafile=job["authority"])
    return [told(urllib.request.urlopen(url, timeout=PATIENCE, context=context).read()) for url in job["urls"]]


def by_dnspython(job):
    import dns.message
    import dns.query
    import socks

    socks.set_default_proxy(socks.SOCKS5, *job["proxy"])
    # As its documentation says.
    dns.query.socket_factory = socks.socksocket
    address, port = job["server"]
    found = []
    for name in job["names"]:
        answer = dns.query.udp(dns.message.make_query(name, "A"), address, port=port, timeout=PATIENCE)
        found.append(sorted(record.to_text() for rrset in answer.answer for record in rrset))
    return found


def main(job):
    if job["way"] == "urllib":
        return by_urllib(job)
    return by_dnspython(job) if job["way"] == "dnspython" else by_requests(job)


print(json.dumps(main(json.loads(sys.argv[1]))))
