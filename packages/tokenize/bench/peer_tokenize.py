"""The peer of tokenize.bench.ts: run_qa's tokenization and labelling, batched, with transformers' fast tokenizer.

Prints one JSON line: seconds of the best of --repeats passes after a warm-up pass, windows, versions. Loading the file and the
tokenizer is not timed.
"""
import argparse
import json
import os
import time


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True)
    parser.add_argument("--encoder", required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--max-tokens", type=int, required=True)
    parser.add_argument("--overlap", type=int, required=True)
    parser.add_argument("--repeats", type=int, required=True)
    return parser.parse_args()


def load_questions(path):
    with open(path, encoding="utf-8") as file:
        articles = json.load(file)["data"]
    return [dict(question=qa["question"], context=paragraph["context"],
                 answers=[] if qa.get("is_impossible") else qa["answers"])
            for article in articles for paragraph in article["paragraphs"] for qa in paragraph["qas"]]


def label_window(offsets, sequence_ids, answers):
    if not answers or 1 not in sequence_ids:
        return 0, 0
    first_char = answers[0]["answer_start"]
    last_char = first_char + len(answers[0]["text"])
    start = sequence_ids.index(1)
    end = len(offsets) - 1
    while sequence_ids[end] != 1:
        end -= 1
    if not (offsets[start][0] <= first_char and offsets[end][1] >= last_char):
        return 0, 0
    while start < len(offsets) and offsets[start][0] <= first_char:
        start += 1
    while offsets[end][1] >= last_char:
        end -= 1
    return start - 1, end + 1


def make_windows(tokenizer, questions, args):
    encoded = tokenizer(
        [q["question"].lstrip() for q in questions], [q["context"] for q in questions], truncation="only_second",
        max_length=args.max_tokens, stride=args.overlap, return_overflowing_tokens=True, return_offsets_mapping=True)
    windows = []
    for i, question in enumerate(encoded["overflow_to_sample_mapping"]):
        offsets, sequence_ids = encoded["offset_mapping"][i], encoded.sequence_ids(i)
        start, end = label_window(offsets, sequence_ids, questions[question]["answers"])
        windows.append(dict(ids=encoded["input_ids"][i], question=question, start=start, end=end,
                            offsets=[o if sequence_ids[k] == 1 else None for k, o in enumerate(offsets)]))
    return windows


def main():
    args = parse_arguments()
    # Read when the library's threads start: before it is imported.
    os.environ["RAYON_NUM_THREADS"] = str(args.threads)
    os.environ["TOKENIZERS_PARALLELISM"] = "true"
    import tokenizers
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(args.encoder)
    questions = load_questions(args.data)
    seconds = []
    for _ in range(args.repeats + 1):
        started = time.perf_counter()
        windows = make_windows(tokenizer, questions, args)
        seconds.append(time.perf_counter() - started)
    print(json.dumps(dict(seconds=min(seconds[1:]), windows=len(windows),
                          name=f"transformers {transformers.__version__}, tokenizers {tokenizers.__version__}")))


if __name__ == "__main__":
    main()
