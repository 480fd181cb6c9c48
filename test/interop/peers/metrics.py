"""Reads metrics as Prometheus would, with the parser of its Python client: gssocks shares no code with it.

metrics.py URL -> one JSON object on standard output: family name -> {type, help, samples: [[name, labels, value], ...]}
"""

import json
import sys
import urllib.request

from prometheus_client.parser import text_string_to_metric_families

with urllib.request.urlopen(sys.argv[1], timeout=30) as response:
    content_type = response.headers["Content-Type"]
    if not content_type.startswith("text/plain; version=0.0.4"):
        sys.exit(f"unexpected Content-Type {content_type}")
    text = response.read().decode("utf-8")

families = {}
for family in text_string_to_metric_families(text):
    if family.name in families:
        sys.exit(f"{family.name} comes twice")
    seen = [(sample.name, sorted(sample.labels.items())) for sample in family.samples]
    if any(seen.count(each) > 1 for each in seen):
        sys.exit(f"{family.name} has a sample twice")
    families[family.name] = {
        "type": family.type,
        "help": family.documentation,
        "samples": [[sample.name, sample.labels, sample.value] for sample in family.samples],
    }
json.dump(families, sys.stdout)
