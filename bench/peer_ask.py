"""The peers of `npm run bench:ask`.

    python -m venv peer && peer/bin/pip install torch==2.13.0 transformers==4.57.6 onnxruntime

`torch`: transformers' tokenizer and PyTorch in float32, batches of 32 in the file's order, each padded to its longest window;
`torch-bfloat16`: the same, for processors that multiply bfloat16.
`onnxruntime`: the export's int8 file on the very batches that bertqa runs, without tokenizing.
Neither searches spans: what stands around the model is in their favour. Prints one JSON object: {"seconds": …}.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np

BATCH_WINDOWS = 32


def run_torch(work, dtype="float32"):
    import torch
    from transformers import AutoModelForQuestionAnswering, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(work["model"])
    model = AutoModelForQuestionAnswering.from_pretrained(work["model"]).eval().to(getattr(torch, dtype))

    def answer(pairs):
        questions, contexts = zip(*pairs)
        encoded = tokenizer(
            list(questions),
            list(contexts),
            truncation="only_second",
            max_length=work["window"]["maxTokens"],
            stride=work["window"]["windowOverlapTokens"],
            return_overflowing_tokens=True,
            padding=False,
        )
        keys = ("input_ids", "token_type_ids", "attention_mask")
        for first in range(0, len(encoded["input_ids"]), BATCH_WINDOWS):
            rows = {key: encoded[key][first : first + BATCH_WINDOWS] for key in keys}
            with torch.no_grad():
                model(**tokenizer.pad(rows, padding="longest", return_tensors="pt")).start_logits.float().numpy()

    answer(work["pairs"][:20])
    started = time.perf_counter()
    answer(work["pairs"])
    return time.perf_counter() - started


def run_onnxruntime(work):
    import onnxruntime

    session = onnxruntime.InferenceSession(str(Path(work["model"]) / work["onnx"]), providers=["CPUExecutionProvider"])

    def predict(windows):
        length = max(len(window["ids"]) for window in windows)
        ids = np.zeros((len(windows), length), dtype=np.int64)
        types, mask = np.zeros_like(ids), np.zeros_like(ids)
        for row, window in enumerate(windows):
            count = len(window["ids"])
            ids[row, :count] = window["ids"]
            types[row, window["contextFirstToken"] : count] = 1
            mask[row, :count] = 1
        session.run(None, {"input_ids": ids, "attention_mask": mask, "token_type_ids": types})

    predict(work["batches"][-1])
    started = time.perf_counter()
    for windows in work["batches"]:
        predict(windows)
    return time.perf_counter() - started


side, work_file = sys.argv[1:]
with open(work_file, encoding="utf8") as file:
    work = json.load(file)
sides = {"torch": run_torch, "torch-bfloat16": lambda work: run_torch(work, "bfloat16"), "onnxruntime": run_onnxruntime}
seconds = sides[side](work)
print(json.dumps({"seconds": seconds}))
