"""Logits of a model folder by transformers: parity_peer.py FOLDER < batches.json; prints [{"start": [[…]], "end": [[…]]}, …]."""

import json
import sys

import torch
from transformers import AutoModelForQuestionAnswering

model = AutoModelForQuestionAnswering.from_pretrained(sys.argv[1]).eval()
outputs = []
for batch in json.load(sys.stdin):
    with torch.no_grad():
        output = model(**{name: torch.tensor(rows) for name, rows in batch.items()})
    outputs.append({"start": output.start_logits.tolist(), "end": output.end_logits.tolist()})
print(json.dumps(outputs))
