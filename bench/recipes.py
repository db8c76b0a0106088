"""Ranks training recipes: many fine-tunings side by side on one GPU, in PyTorch, where one on two cores takes an hour.

    python bench/recipes.py prepare FETCH TOKENIZE lab.npz           # windows and encoder of the two artifacts
    python bench/recipes.py train lab.npz recipes.json FOLDER        # where the GPU is: lab.npz and this file are all it needs
    python bench/recipes.py score FETCH TOKENIZE FOLDER/*.npz        # the table of docs/recipes.md

recipes.json is a list of recipes, {"name": "R-Drop", "epochs": 4, "rDropWeight": 1}, with the names and defaults of
RECIPE below. Each is trained on four folds of the train articles, three quarters of them at a time; the articles with and
those without unanswerable questions are dealt apart, so that all folds hold both. Tokenize with tuneShare 0, so that no
article is left out. The first recipe is what the others are compared with.

The step is that of packages/model (objective "answerability"): same windows, loss, AdamW, schedule and batches of similar
length; the weights of K models lie in one stack, and what layers pass on is bfloat16. Forward passes equal Hugging Face's
to 1e-4 in float32. prepare needs pyarrow, safetensors and numpy, train torch and triton, score numpy. Without a GPU train
computes in float32, slowly: for a look at the code alone.
"""
import argparse
import collections
import glob
import json
import os
import re
import string
import time

import numpy as np

RECIPE = dict(epochs=4, learningRate=2e-4, dropout=0.1, rDropWeight=0, adversarial=0, newTopLayers=0, seeds=1)
SHARED = ("epochs", "dropout", "rDropWeight", "adversarial")  # of models that step together
BATCH_WINDOWS, STRETCH_BATCHES, WARMUP_SHARE, WEIGHT_DECAY, MAX_ANSWER_TOKENS = 16, 50, 0.1, 0.01, 32
FOLDS = 4


# ---- what the stages made

def read_artifacts(fetch, tokenize):
    """Windows of train and dev, a dict each; the questions by id: article, context, answers; the articles of train."""
    import pyarrow.ipc as ipc
    questions, articles = {}, []
    for split in ("train", "dev"):
        for article in json.load(open(f"{fetch}/{split}.json"))["data"]:
            articles.append(article["title"])
            for paragraph in article["paragraphs"]:
                for qa in paragraph["qas"]:
                    questions[qa["id"]] = (len(articles) - 1, paragraph["context"], [a["text"] for a in qa["answers"]])
        if split == "train":
            train_count = len(articles)
    windows = []
    for split in ("train", "dev"):
        for path in sorted(glob.glob(f"{tokenize}/{split}-*.arrow")):
            columns = ipc.open_file(path).read_all().to_pydict()
            windows += [dict({name: columns[name][i] for name in columns}, isDev=split == "dev")
                        for i in range(len(columns["questionId"]))]
    return windows, questions, train_count


def is_made(window):
    return "#" in window["questionId"]


def prepare(fetch, tokenize, out):
    from safetensors.numpy import load_file
    windows, questions, train_count = read_artifacts(fetch, tokenize)
    used = np.array(sorted({token for window in windows for token in window["inputIds"]}))
    short = {token: i for i, token in enumerate(used)}  # only the vocabulary's part that occurs
    column = lambda name: np.array([window[name] for window in windows], np.int16)
    data = dict(
        ids=np.array([short[token] for window in windows for token in window["inputIds"]], np.uint16),
        lengths=np.array([len(window["inputIds"]) for window in windows], np.int32),
        context=column("contextFirstToken"), contextTokens=column("contextTokenCount"),
        start=column("startPosition"), end=column("endPosition"),
        plausibleStart=column("plausibleStartPosition"), plausibleEnd=column("plausibleEndPosition"),
        isDev=column("isDev"), isMade=np.array([is_made(window) for window in windows]),
        article=np.array([questions[window["questionId"].split("#")[0]][0] for window in windows], np.int16))
    for name, tensor in load_file(f"{fetch}/encoder/model.safetensors").items():
        if "pooler" in name or "position_ids" in name:
            continue
        if "word_embeddings" in name:
            tensor = tensor[used].astype(np.float16)  # half the bytes to carry
        data["weight:" + name.removeprefix("bert.")] = tensor
    np.savez_compressed(out, **data, encoder=json.dumps(json.load(open(f"{fetch}/encoder/config.json"))))
    print(f"{out}: {len(windows)} windows, {os.path.getsize(out) / 2**20:.0f} MiB")


def fold_of_articles(article, is_null, is_own_train):
    """Which fold judges an article: those with and those without questions of both kinds are dealt apart."""
    articles = np.unique(article[is_own_train])
    has_both = np.array([is_null[is_own_train & (article == a)].mean() > 0.2 for a in articles])
    random = np.random.RandomState(3)
    return {int(a): i % FOLDS for group in (articles[has_both], articles[~has_both])
            for i, a in enumerate(random.permutation(group))}


# ---- training

def train(lab, recipes_file, out):
    import torch
    import torch.nn.functional as F
    gpu = torch.cuda.is_available()
    device, low = ("cuda", torch.bfloat16) if gpu else ("cpu", torch.float32)
    os.makedirs(out, exist_ok=True)
    stored = np.load(lab)
    data = {name: stored[name] for name in stored.files}  # each access of an npz unpacks the whole array again
    config = json.loads(str(data["encoder"]))
    lengths, H, layers, heads = data["lengths"], config["hidden_size"], config["num_hidden_layers"], config["num_attention_heads"]
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    round_up = lambda tokens: (int(tokens) + 15) // 16 * 16  # attention's kernel wants multiples
    longest = round_up(lengths.max())
    padded = np.zeros((len(lengths), longest), np.int32)
    for row, (a, b) in enumerate(zip(offsets, offsets[1:])):
        padded[row, :b - a] = data["ids"][a:b]
    put = lambda array: torch.from_numpy(np.ascontiguousarray(array)).to(device)
    ids, length, context, context_tokens, start, end, plausible_start, plausible_end = (
        put(array.astype(np.int64)) for array in (padded, lengths, *(data[name] for name in (
            "context", "contextTokens", "start", "end", "plausibleStart", "plausibleEnd"))))
    is_null = (start == 0).float()
    has_span = (start > 0) | (plausible_start > 0)
    span_start = torch.where(start > 0, start, torch.where(has_span, plausible_start, context))
    span_end = torch.where(start > 0, end, torch.where(has_span, plausible_end, context))

    # K models' parameters lie in two buffers, [K, all values of a model]: the word embeddings, and the rest.
    weight = lambda name: data["weight:" + name].astype(np.float32)
    shapes, pretrained = {}, {}

    def parameter(name, value):
        shapes[name], pretrained[name] = value.shape, value
    parameter("position", weight("embeddings.position_embeddings.weight")[:longest])
    parameter("type", weight("embeddings.token_type_embeddings.weight"))
    norm = lambda name, source: [parameter(name + part, weight(f"{source}.LayerNorm.{which}"))
                                 for part, which in ((".scale", "weight"), (".shift", "bias"))]
    norm("norm", "embeddings")
    for l in range(layers):
        at = f"encoder.layer.{l}."
        qkv = [at + "attention.self." + part for part in ("query", "key", "value")]
        parameter(f"{l}.qkv", np.concatenate([weight(name + ".weight").T for name in qkv], 1))
        parameter(f"{l}.qkv.bias", np.concatenate([weight(name + ".bias") for name in qkv]))
        for name, source in (("out", "attention.output.dense"), ("in", "intermediate.dense"), ("back", "output.dense")):
            parameter(f"{l}.{name}", weight(at + source + ".weight").T)
            parameter(f"{l}.{name}.bias", weight(at + source + ".bias"))
        norm(f"{l}.norm1", at + "attention.output")
        norm(f"{l}.norm2", at + "output")
    parameter("head", np.zeros((H, 2), np.float32))
    parameter("head.bias", np.zeros(2, np.float32))
    places, size = {}, 0
    for name, shape in shapes.items():
        places[name] = slice(size, size + int(np.prod(shape)))
        size += (int(np.prod(shape)) + 63) // 64 * 64
    words = weight("embeddings.word_embeddings.weight")
    vocabulary = len(words)

    def initial(seed, new_top_layers):
        """[all values], float32: the encoder; the head, and layers that begin anew, from N(0, 0.02²)"""
        row, random = np.zeros(size, np.float32), np.random.RandomState(1000 + seed)
        for name, value in pretrained.items():
            layer = name.split(".")[0]
            if name == "head" or (layer.isdigit() and int(layer) >= layers - new_top_layers):
                if len(shapes[name]) == 2:
                    value = random.normal(0, 0.02, shapes[name])
                else:
                    value = np.full(shapes[name], 1 if name.endswith(".scale") else 0)
            row[places[name]] = value.reshape(-1)
        return row

    if gpu:
        torch.backends.cuda.enable_cudnn_sdp(False)
        import triton
        import triton.language as tl

        @triton.jit
        def adamw(p, low_p, g, m, v, decays, clip, rate, n, total, decay, c1, c2, block: tl.constexpr):
            i = tl.program_id(0).to(tl.int64) * block + tl.arange(0, block)
            inside = i < total
            k = i // n
            r = tl.load(rate + k, inside, 0.0)
            gradient = tl.load(g + i, inside, 0.0).to(tl.float32) * tl.load(clip + k, inside, 0.0)
            first = tl.load(m + i, inside, 0.0) * 0.9 + 0.1 * gradient
            second = tl.load(v + i, inside, 0.0) * 0.999 + 0.001 * gradient * gradient
            value = tl.load(p + i, inside, 0.0)
            value *= 1 - r * decay * tl.load(decays + i - k * n, inside, 0).to(tl.float32)
            value -= r * (first / c1) / (tl.sqrt(second / c2) + 1e-8)
            tl.store(p + i, value, inside)
            tl.store(m + i, first, inside)
            tl.store(v + i, second, inside)
            tl.store(low_p + i, value.to(tl.bfloat16), inside)

    class Buffer:
        def __init__(self, rows, decays):
            self.p = rows.to(device)
            self.low = self.p.to(low).clone()
            self.g, self.m, self.v = torch.zeros_like(self.low), torch.zeros_like(self.p), torch.zeros_like(self.p)
            self.decays = decays.to(device)

        def squared_norms(self):
            return torch.linalg.vector_norm(self.g, dim=1, dtype=torch.float32) ** 2

        def step(self, clip, rate, t):
            c1, c2, (K, n) = 1 - 0.9**t, 1 - 0.999**t, self.p.shape
            if gpu:
                adamw[((K * n + 1023) // 1024,)](self.p, self.low, self.g, self.m, self.v, self.decays, clip, rate, n, K * n,
                                                 WEIGHT_DECAY, c1, c2, block=1024)
                return
            g = self.g * clip[:, None]
            self.m.mul_(0.9).add_(g, alpha=0.1)
            self.v.mul_(0.999).addcmul_(g, g, value=0.001)
            self.p.mul_(1 - rate[:, None] * WEIGHT_DECAY * self.decays)
            self.p.sub_(rate[:, None] * (self.m / c1) / ((self.v / c2).sqrt() + 1e-8))
            self.low.copy_(self.p)

    class Stack:
        """K models. Leaves of autograd are views of the low-precision buffer, their gradients views of another."""
        def __init__(self, rows):
            self.K = K = len(rows)
            decays = torch.zeros(size, dtype=torch.uint8)
            for name, shape in shapes.items():
                decays[places[name]] = len(shape) == 2
            self.rest = Buffer(torch.from_numpy(rows), decays)
            self.words = Buffer(torch.from_numpy(words.reshape(1, -1)).repeat(K, 1), torch.ones(words.size, dtype=torch.uint8))
            self.w = {}
            for name, shape in shapes.items():
                leaf = self.rest.low[:, places[name]].view(K, *shape).detach().requires_grad_()
                leaf.grad = self.rest.g[:, places[name]].view(K, *shape)
                self.w[name] = leaf
            self.table = self.words.low.view(K * vocabulary, H).detach().requires_grad_()
            self.table.grad = self.words.g.view(K * vocabulary, H)
            self.first_row = (torch.arange(K, device=device) * vocabulary)[:, None, None]

        def embed(self, rows, L):
            return F.embedding(ids[rows, :L] + self.first_row, self.table)  # [K, B, L, H]

        def logits(self, rows, L, dropout=0.0, embedded=None):
            """[K, B, L, 2], float32"""
            w, (K, B) = self.w, rows.shape
            drop = (lambda x: F.dropout(x, dropout)) if dropout else (lambda x: x)
            linear = lambda x, name: torch.baddbmm(w[name + ".bias"].unsqueeze(1), x, w[name])

            def norm(x, name):
                return torch.addcmul(w[name + ".shift"].unsqueeze(1), F.layer_norm(x, (H,), eps=1e-12), w[name + ".scale"].unsqueeze(1))
            token = torch.arange(L, device=device)
            types = (token >= context[rows][..., None]).to(low)[..., None]
            kinds = w["type"]
            x = self.embed(rows, L) if embedded is None else embedded
            x = x + w["position"][:, None, :L] + kinds[:, None, None, 0] + types * (kinds[:, 1] - kinds[:, 0])[:, None, None]
            x = drop(norm(x.reshape(K, B * L, H), "norm"))
            padding = (token >= length[rows][..., None]).view(K * B, 1, 1, L)
            mask = torch.zeros(K * B, 1, 1, L, dtype=low, device=device).masked_fill(padding, -1e4).expand(K * B, heads, L, L)
            for l in range(layers):
                q, k, v = linear(x, f"{l}.qkv").view(K * B, L, 3, heads, H // heads).permute(2, 0, 3, 1, 4)
                attended = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=dropout)
                x = norm(x + drop(linear(attended.transpose(1, 2).reshape(K, B * L, H), f"{l}.out")), f"{l}.norm1")
                x = norm(x + drop(linear(F.gelu(linear(x, f"{l}.in")), f"{l}.back")), f"{l}.norm2")
            return (torch.bmm(x.float(), w["head"].float()) + w["head.bias"].float().unsqueeze(1)).view(K, B, L, 2)

    def inside(rows, L):
        token, first = torch.arange(L, device=device), context[rows][..., None]
        return (token >= first) & (token < first + context_tokens[rows][..., None])

    def loss_of(logits, rows):
        """[K, B], and what the two passes of R-Drop are compared by"""
        of_context = logits.masked_fill(~inside(rows, logits.shape[2])[..., None], -1e9)
        log_p = F.log_softmax(of_context, 2)
        odds = (logits[:, :, 0] - torch.logsumexp(of_context, 2)).sum(-1)
        picked = [log_p[..., side].gather(2, label[rows][..., None])[..., 0] for side, label in enumerate((span_start, span_end))]
        spans = -sum(picked) / 2 * has_span[rows]
        return spans + F.softplus(odds) - is_null[rows] * odds, log_p, odds

    def disagreement(log_p, odds):
        """[K, B]: mean of the divergences, both ways, of rows i and i + B"""
        a, b = log_p.chunk(2, 1)
        spans = ((a.exp() - b.exp()) * (a - b)).masked_fill(a < -1e4, 0).sum(2).mean(-1) / 2
        x, y = odds.chunk(2, 1)
        return spans + (torch.sigmoid(x) - torch.sigmoid(y)) * (x - y) / 2

    def batches_of(windows, seed):
        """Shuffled epochs one after another, sorted by length in stretches: [batches, B] at a time, for ever."""
        random, left = np.random.RandomState(seed), np.zeros(0, np.int64)
        while True:
            while len(left) < BATCH_WINDOWS * STRETCH_BATCHES:
                left = np.concatenate([left, random.permutation(windows)])
            stretch, left = np.split(left, [BATCH_WINDOWS * STRETCH_BATCHES])
            yield stretch[np.argsort(lengths[stretch], kind="stable")].reshape(STRETCH_BATCHES, BATCH_WINDOWS)

    is_dev, is_made_row = data["isDev"].astype(bool), data["isMade"]
    own = ~is_dev & ~is_made_row
    article = data["article"]
    folds = fold_of_articles(article, is_null.cpu().numpy(), own)
    fold_of = np.array([folds.get(int(a), -1) for a in article])

    def train_group(models, shared):
        K = len(models)
        stack = Stack(np.stack([initial(model["seed"], model["newTopLayers"]) for model in models]))
        windows = [np.where(~is_dev & (fold_of != model["fold"]))[0] for model in models]
        steps = round(shared["epochs"] * np.mean([len(rows) for rows in windows]) / BATCH_WINDOWS)
        streams = [batches_of(rows, 10 * model["seed"] + model["fold"]) for rows, model in zip(windows, models)]
        order, random = [], np.random.RandomState(5)
        while len(order) < steps:  # batches of the same rank by length step together
            stretch = np.stack([next(stream) for stream in streams], 1)
            order += [stretch[i] for i in random.permutation(STRETCH_BATCHES)]
        peak = torch.tensor([model["learningRate"] for model in models], device=device)
        warmup, began = int(WARMUP_SHARE * steps), time.time()
        for step in range(steps):
            rows, L = put(order[step]), round_up(lengths[order[step]].max())
            stack.rest.g.zero_()
            stack.words.g.zero_()
            if shared["rDropWeight"]:
                twice = torch.cat([rows, rows], 1)
                loss, log_p, odds = loss_of(stack.logits(twice, L, shared["dropout"]), twice)
                loss = loss.mean(1) + shared["rDropWeight"] * disagreement(log_p, odds).mean(1)
                loss.sum().backward()
            else:
                embedded = stack.embed(rows, L)
                embedded.retain_grad()
                loss = loss_of(stack.logits(rows, L, shared["dropout"], embedded), rows)[0].mean(1)
                loss.sum().backward()
                if shared["adversarial"]:  # a step of this length along the gradient of each window's word embeddings
                    g = embedded.grad
                    away = shared["adversarial"] * g / (g.float().flatten(2).norm(dim=2)[..., None, None] + 1e-12).to(low)
                    moved = stack.logits(rows, L, shared["dropout"], stack.embed(rows, L) + away)
                    loss_of(moved, rows)[0].mean(1).sum().backward()
            clip = 1 / torch.clamp(torch.sqrt(stack.rest.squared_norms() + stack.words.squared_norms()), min=1)
            share = step / max(1, warmup) if step < warmup else (steps - step) / max(1, steps - warmup)
            for buffer in (stack.rest, stack.words):
                buffer.step(clip, peak * share, step + 1)
            if step in (20, 200):
                print(f"  step {step} of {steps}: {(time.time() - began) / (step + 1) * 1e3:.0f} ms a step, "
                      f"loss {loss.mean():.2f}", flush=True)
        print(f"{K} models, {steps} steps in {time.time() - began:.0f} s, loss {loss.mean():.2f}", flush=True)
        return stack

    @torch.no_grad()
    def predict(stack, models, rows_at_once=64):
        judged = [np.where((own & (fold_of == model["fold"])) | is_dev)[0] for model in models]
        judged = [rows[np.argsort(lengths[rows], kind="stable")] for rows in judged]
        count = max(map(len, judged))
        rows = np.stack([np.concatenate([r, np.repeat(r[-1:], count - len(r))]) for r in judged])  # shorter ones end in repeats
        found = []
        for first in range(0, count, rows_at_once):
            some = rows[:, first:first + rows_at_once]
            L = round_up(lengths[some].max())
            index = put(some)
            logits = stack.logits(index, L)
            s, e = logits.masked_fill(~inside(index, L)[..., None], -1e9).unbind(-1)
            best, best_start, best_end = torch.full(index.shape, -3e9, device=device), torch.zeros_like(index), torch.zeros_like(index)
            for more in range(min(MAX_ANSWER_TOKENS, L)):
                value, at = (s[..., :L - more] + e[..., more:]).max(-1)
                better = value > best
                best = torch.where(better, value, best)
                best_start, best_end = torch.where(better, at, best_start), torch.where(better, at + more, best_end)
            found.append((index, logits[:, :, 0].sum(-1), best, best_start, best_end))
        return dict(zip(("window", "null", "best", "start", "end"), (torch.cat(part, 1).cpu().numpy() for part in zip(*found))))

    groups = collections.OrderedDict()
    for recipe in json.load(open(recipes_file)):
        unknown = set(recipe) - set(RECIPE) - {"name"}
        if unknown:
            raise SystemExit(f"{recipe['name']}: unknown {', '.join(sorted(unknown))}; known: name, {', '.join(RECIPE)}")
        recipe = {**RECIPE, **recipe}
        key = tuple(recipe[name] for name in SHARED)
        groups.setdefault(key, []).extend(dict(recipe, fold=fold, seed=seed) for seed in range(recipe["seeds"]) for fold in range(FOLDS))
    for i, (key, models) in enumerate(groups.items()):
        print(", ".join(sorted({model["name"] for model in models})), flush=True)
        stack = train_group(models, dict(zip(SHARED, key)))
        tags = json.dumps([[model["name"], model["fold"], model["seed"]] for model in models])
        np.savez(f"{out}/{i}.npz", models=tags, **predict(stack, models))
        del stack


# ---- scores

def words_of(text):
    text = "".join(c for c in text.lower() if c not in set(string.punctuation))
    return re.sub(r"\b(a|an|the)\b", " ", text).split()


def match(text, gold):
    """F1 and exact match, as the official script counts them for an answer that is not empty"""
    a, b = words_of(text), words_of(gold)
    same = sum((collections.Counter(a) & collections.Counter(b)).values())
    return (0.0 if same == 0 else 2 * same / (len(a) + len(b))), float(a == b)


def score(fetch, tokenize, files):
    windows, questions, train_count = read_artifacts(fetch, tokenize)
    seen = {}

    def matches(window, start, end):
        key = (window, start, end)
        if key not in seen:
            at = windows[window]
            _, context, answers = questions[at["questionId"]]
            first = at["contextFirstToken"]
            text = context[at["contextStartCodePoints"][start - first]:at["contextEndCodePoints"][end - first]]
            seen[key] = tuple(map(max, zip(*(match(text, gold) for gold in answers)))) if answers else (0.0, 0.0)
        return seen[key]

    def outcomes(file, k):
        """[questions, 5]: article, null odds, F1 and exact match of the best span, is answerable"""
        by_question = {}
        for window, null, best, start, end in zip(*(file[name][k] for name in ("window", "null", "best", "start", "end"))):
            question = windows[window]["questionId"]
            known = by_question.get(question)
            least = null if known is None else min(null, known[0])
            by_question[question] = (least, best, window, start, end) if known is None or best > known[1] else (least, *known[1:])
        return np.array([(questions[question][0], null - best, *matches(window, start, end), bool(questions[question][2]))
                         for question, (null, best, window, start, end) in by_question.items()], float)

    def auc(rows):
        rank = np.argsort(np.argsort(rows[:, 1])) + 1
        null = rows[:, 4] == 0
        n, m = null.sum(), (~null).sum()
        return 100 * (rank[null].sum() - n * (n + 1) / 2) / (n * m)

    def best_threshold(rows):
        """Answers are given up to it; and its F1"""
        order = np.argsort(rows[:, 1])
        odds, gain = rows[order, 1], np.where(rows[order, 4] > 0, rows[order, 2], -1.0)
        totals = np.concatenate([[0], np.cumsum(gain)])
        i = int(np.argmax(totals))
        edges = np.concatenate([[odds[0] - 1], odds, [odds[-1] + 1]])
        return (edges[i] + edges[i + 1]) / 2, 100 * (totals[i] + (rows[:, 4] == 0).sum()) / len(rows)

    def bagged(rows):
        random = np.random.RandomState(0)
        return np.mean([best_threshold(rows[random.randint(0, len(rows), len(rows))])[0] for _ in range(200)])

    table = collections.OrderedDict()
    for path in files:
        file = dict(np.load(path))
        for k, (name, fold, seed) in enumerate(json.loads(str(file["models"]))):
            rows = outcomes(file, k)
            dev = rows[rows[:, 0] >= train_count]
            held = rows[rows[:, 0] < train_count]
            kinds = {a: (held[held[:, 0] == a, 4] == 0).mean() for a in np.unique(held[:, 0])}
            held = held[[kinds[a] > 0.2 for a in held[:, 0]]]  # articles with both kinds of question
            answers, answerable = dev[:, 1] <= bagged(held), dev[:, 4] > 0
            at_threshold = [100 * np.where(answers, dev[:, column] * answerable, ~answerable).mean() for column in (3, 2)]
            found = lambda some: 100 * some[some[:, 4] > 0, 2].mean()
            table.setdefault(name, {})[fold, seed] = np.array(
                [best_threshold(held)[1], auc(held), found(held), *at_threshold, auc(dev), found(dev)])
    control = next(iter(table.values()))
    print("held out: best F1, AUC, found; dev: exact, F1, AUC, found; ± and after it: against the first, deviation between models")
    for name, rows in table.items():
        print(f"{name:40}", *(f"{x:5.1f}" for x in np.mean(list(rows.values()), 0)))
        shared = [rows[key] - control[key] for key in rows if key in control]
        if rows is not control and len(shared) > 1:
            print(f"{'':40}", *(f"{x:+5.1f}" for x in np.mean(shared, 0)), " ±", *(f"{x:.1f}" for x in np.std(shared, 0, ddof=1)))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    for name, arguments in (("prepare", ("fetch", "tokenize", "lab")), ("train", ("lab", "recipes", "out"))):
        command = commands.add_parser(name)
        for argument in arguments:
            command.add_argument(argument)
    command = commands.add_parser("score")
    command.add_argument("fetch")
    command.add_argument("tokenize")
    command.add_argument("files", nargs="+")
    given = parser.parse_args()
    if given.command == "prepare":
        prepare(given.fetch, given.tokenize, given.lab)
    elif given.command == "train":
        train(given.lab, given.recipes, given.out)
    else:
        score(given.fetch, given.tokenize, given.files)


if __name__ == "__main__":
    main()
