"""Logits of a model folder by transformers: hf_logits.py FOLDER < batch.json; prints {"start": [[…]], "end": [[…]]}."""

import json
import sys

import torch
from transformers import AutoModelForQuestionAnswering, AutoTokenizer

folder = sys.argv[1]
model, report = AutoModelForQuestionAnswering.from_pretrained(folder, output_loading_info=True)
AutoTokenizer.from_pretrained(folder)
assert not report["missing_keys"] and not report["unexpected_keys"] and not report["mismatched_keys"], report
model.eval()
batch = {name: torch.tensor(rows) for name, rows in json.load(sys.stdin).items()}
with torch.no_grad():
    output = model(**batch)
print(json.dumps({"start": output.start_logits.tolist(), "end": output.end_logits.tolist()}))
