"""The peer of the benchmarks: PyTorch and Hugging Face transformers on the very batches that bertqa runs.

    python -m venv peer && peer/bin/pip install torch==2.13.0 transformers==4.57.6

Called by `npm run bench:train` and `npm run bench:predict` with `--peer peer/bin/python`. Reads a work file: {"encoder": folder,
"randomWeights": bool, "batches": [[window, …], …], "warmUpBatches": n}, each window {"ids", "contextFirstToken", "start", "end"}.
Prints one JSON object. Two ways to run, as run_qa does it and tuned:
  --padding max            every window padded to 384 tokens, float32 (run_qa's default)
  --padding batch [--bf16] padded to the longest of the batch, float32 or bfloat16 autocast
"""

import argparse
import json
import os
import resource
import time

import torch
from transformers import AutoConfig, AutoModelForQuestionAnswering

MAX_TOKENS = 384


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=["train", "predict"])
    parser.add_argument("--work", required=True)
    parser.add_argument("--padding", choices=["max", "batch"], default="max")
    parser.add_argument("--bf16", action="store_true")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    return parser.parse_args()


def load_model(work):
    if work["randomWeights"]:
        return AutoModelForQuestionAnswering.from_config(AutoConfig.from_pretrained(work["encoder"]))
    return AutoModelForQuestionAnswering.from_pretrained(work["encoder"])


def collate(windows, padding):
    length = MAX_TOKENS if padding == "max" else max(len(window["ids"]) for window in windows)
    ids = torch.zeros(len(windows), length, dtype=torch.long)
    types, mask = torch.zeros_like(ids), torch.zeros_like(ids)
    for row, window in enumerate(windows):
        count = len(window["ids"])
        ids[row, :count] = torch.tensor(window["ids"])
        types[row, window["contextFirstToken"] : count] = 1
        mask[row, :count] = 1
    return {"input_ids": ids, "token_type_ids": types, "attention_mask": mask}


def make_step(task, model, args):
    if task == "predict":
        model.eval()

        def predict(windows):
            with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16, enabled=args.bf16):
                model(**collate(windows, args.padding)).start_logits.float().numpy()

        return predict

    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-5, weight_decay=0.01)

    def train(windows):
        start = torch.tensor([window["start"] for window in windows])
        end = torch.tensor([window["end"] for window in windows])
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=args.bf16):
            loss = model(**collate(windows, args.padding), start_positions=start, end_positions=end).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()

    return train


def main():
    args = parse_arguments()
    torch.manual_seed(42)
    torch.set_num_threads(args.threads)
    with open(args.work, encoding="utf-8") as file:
        work = json.load(file)
    step = make_step(args.task, load_model(work), args)
    batches, warm_up = work["batches"], work["warmUpBatches"]
    for windows in batches[:warm_up]:
        step(windows)
    started, cpu_started = time.perf_counter(), time.process_time()
    for windows in batches[warm_up:]:
        step(windows)
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu_started
    peak_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"seconds": seconds, "cpuSeconds": cpu_seconds, "peakBytes": peak_bytes, "version": torch.__version__}))


if __name__ == "__main__":
    main()
