import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { appendFile, mkdir, readdir, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { BertqaError, openArtifact, sha256Of, type ArtifactDraft } from "@bertqa/core";
import { recoverPlace, writeArtifact } from "../src/index.ts";
import { temporaryFolder } from "../../../test/support/temporary-folder.ts";

const description = { kind: "windows", options: { a: 1 }, counts: { rows: 2 }, versions: {}, inputs: {} } as const;

async function fillWithHello(draft: ArtifactDraft) {
  await writeFile(await draft.path("a.txt"), "hello");
  await writeFile(await draft.path("sub/b.txt"), "world");
  return description;
}

describe("an artifact that is written", () => {
  test("can be opened, and its manifest holds each file's size and sha256, sorted by path", async () => {
    const folder = join(await temporaryFolder(), "x");
    await writeArtifact("tokenize", folder, fillWithHello);
    const { manifest } = await openArtifact("train", folder, "windows");
    expect(manifest.files).toEqual([
      { path: "a.txt", bytes: 5, sha256: sha256Of("hello") },
      { path: "sub/b.txt", bytes: 5, sha256: sha256Of("world") },
    ]);
    expect(manifest.options).toEqual({ a: 1 });
  });

  test("has the same manifest, byte for byte, when it is written again", async () => {
    const parent = await temporaryFolder();
    const manifests = [];
    for (const name of ["first", "second"]) {
      await writeArtifact("tokenize", join(parent, name), fillWithHello);
      manifests.push(await readFile(join(parent, name, "manifest.json"), "utf8"));
    }
    expect(manifests[0]).toBe(manifests[1]);
  });

  test("replaces the one that was there", async () => {
    const folder = join(await temporaryFolder(), "x");
    await writeArtifact("tokenize", folder, fillWithHello);
    await writeArtifact("tokenize", folder, async (draft) => {
      await writeFile(await draft.path("c.txt"), "new");
      return description;
    });
    expect((await readdir(folder)).toSorted()).toEqual(["c.txt", "manifest.json"]);
  });
});

/** Runs a file of this folder in a process of its own, after shell commands that set its limits. */
function runLimited(shell: string, name: string, ...words: string[]) {
  const command = [process.execPath, "--import", "tsx", join(import.meta.dirname, name), ...words];
  return spawnSync("sh", ["-c", `${shell}; exec "$@"`, "sh", ...command], { encoding: "utf8" });
}

test.skipIf(process.platform === "win32")(
  "an artifact of 120 files is written and read where 100 may be open at once, and is as closed as the umask says",
  async () => {
    const folder = join(await temporaryFolder(), "x");
    expect(runLimited("umask 077; ulimit -n 100", "many-files.ts", folder, "120")).toMatchObject({
      ...{ status: 0, stdout: "120\n", stderr: "" },
    });
    expect((await stat(folder)).mode & 0o777).toBe(0o700);
    expect((await stat(join(folder, "manifest.json"))).mode & 0o777).toBe(0o600);
  },
);

describe("a run that does not end well leaves no artifact", () => {
  test("when another process removes its draft: it fails, rather than to end with a part of the files", async () => {
    const parent = await temporaryFolder();
    const failing = writeArtifact("tokenize", join(parent, "x"), async (draft) => {
      await writeFile(await draft.path("a.txt"), "hello");
      await rm(draft.folder, { recursive: true });
      await writeFile(await draft.path("sub/b.txt"), "world");
      return description;
    });
    await expect(failing).rejects.toThrow(/^tokenize: the folder cannot be written: ENOENT/);
    expect(await readdir(parent)).toEqual([]);

    const half = writeArtifact("tokenize", join(parent, "x"), async (draft) => {
      await writeFile(await draft.path("a.txt"), "hello");
      await rm(join(draft.folder, "a.txt"));
      return description;
    });
    await expect(half).rejects.toThrow(/a\.txt was to be written and is not there/);
    expect(await readdir(parent)).toEqual([]);
  });

  test("when something else came into its place meanwhile: one line says so, and that stays", async () => {
    const folder = join(await temporaryFolder(), "x");
    const failing = writeArtifact("tokenize", folder, async (draft) => {
      await mkdir(folder);
      await writeFile(join(folder, "photo.txt"), "");
      return fillWithHello(draft);
    });
    await expect(failing).rejects.toThrow(
      `tokenize: ${folder} holds files that are no artifact (photo.txt …) Move them away; if they are an artifact that was copied in part, remove them: rm -r ${folder}`,
    );
    expect(await readdir(folder)).toEqual(["photo.txt"]);
  });

  test("when the stage throws", async () => {
    const parent = await temporaryFolder();
    const failing = writeArtifact("tokenize", join(parent, "x"), async (draft) => {
      await fillWithHello(draft);
      throw new BertqaError("tokenize", "no");
    });
    await expect(failing).rejects.toThrow("tokenize: no.");
    expect(await readdir(parent)).toEqual([]);
  });

  test.each([
    [{ code: "ENOSPC" }, "the disk is full. Free some space and run again."],
    [
      { code: "EFBIG" },
      "a file would be larger than is allowed: EFBIG. Raise `ulimit -f`, or use a disk that holds larger files.",
    ],
    [{ code: "EROFS" }, "the folder cannot be written: EROFS. See that it is a folder which you may write,"],
    // Said by Node's recursive mkdir of a disk that is mounted read-only.
    [{ code: "ENOENT", syscall: "mkdir" }, "the folder cannot be written: ENOENT."],
    [{ code: "EMFILE" }, "too many open files: EMFILE. Raise `ulimit -n`."],
    [{ code: "ENOTEMPTY" }, "something else wrote there at the same time: ENOTEMPTY."],
  ])("when the disk says %j: one line says what to do, with the place", async (given, problem) => {
    const parent = await temporaryFolder();
    const failing = writeArtifact("tokenize", join(parent, "x"), () =>
      Promise.reject(Object.assign(new Error(given.code), given)),
    );
    await expect(failing).rejects.toThrow(`tokenize: ${problem}`);
    await expect(failing).rejects.toThrow(`(${join(parent, "x")})`);
    expect(await readdir(parent)).toEqual([]);
  });

  test.each(["SIGKILL", "SIGINT", "SIGTERM"] as const)(
    "when the process is ended by %s in the middle, and the next run clears what is left",
    async (signal) => {
      const parent = await temporaryFolder();
      const folder = join(parent, "x");
      const child = spawn(
        process.execPath,
        ["--import", "tsx", join(import.meta.dirname, "hanging-writer.ts"), folder],
        {
          stdio: ["ignore", "pipe", "inherit"],
        },
      );
      await once(child.stdout, "data"); // half the files are written
      child.kill(signal);
      await once(child, "exit");
      expect(existsSync(folder)).toBe(false);
      await expect(openArtifact("train", folder, "windows")).rejects.toThrow("there is no windows artifact");
      if (signal !== "SIGKILL") expect(await readdir(parent)).toEqual([]);

      await recoverPlace(folder);
      await writeArtifact("tokenize", folder, fillWithHello);
      expect(await readdir(parent)).toEqual(["x"]);
    },
  );
});

describe("an artifact is refused, with the stage to rerun", () => {
  async function artifact() {
    const folder = join(await temporaryFolder(), "x");
    await writeArtifact("tokenize", folder, fillWithHello);
    return folder;
  }

  test("when a file is cut short", async () => {
    const folder = await artifact();
    await truncate(join(folder, "a.txt"), 3);
    await expect(openArtifact("train", folder, "windows")).rejects.toThrow(
      `train: ${join(folder, "a.txt")} has 3 bytes, its manifest says 5. Run the tokenize stage again.`,
    );
  });

  test("when a byte has changed", async () => {
    const folder = await artifact();
    await writeFile(join(folder, "a.txt"), "hellO");
    const opened = await openArtifact("train", folder, "windows");
    await expect(opened.file("a.txt")).rejects.toThrow(/a\.txt has sha256 .*, its manifest says /);
    await expect(opened.file("sub/b.txt")).resolves.toBe(join(folder, "sub/b.txt"));
  });

  test("when it is taken away while it is read, as Nx does to restore it", async () => {
    const folder = await artifact();
    const opened = await openArtifact("train", folder, "windows");
    await rm(folder, { recursive: true });
    await expect(opened.file("a.txt")).rejects.toThrow(
      `train: ${join(folder, "a.txt")} is gone. Run the tokenize stage again.`,
    );
  });

  test("when it is of another kind", async () => {
    await expect(openArtifact("predict", await artifact(), "model")).rejects.toThrow(
      'predict: got an artifact of kind "windows", expected "model". Run the train stage again.',
    );
  });

  test("when an older bertqa made it", async () => {
    const folder = await artifact();
    const path = join(folder, "manifest.json");
    const manifest = JSON.parse(await readFile(path, "utf8"));
    await writeFile(
      path,
      JSON.stringify({ ...manifest, manifestSha256: undefined, formatVersion: 0, somethingOld: true }),
    );
    await expect(openArtifact("train", folder, "windows")).rejects.toThrow(
      /^train: the windows artifact has format version 0, this bertqa reads version \d+\. Run the tokenize stage again\./,
    );
  });

  test("when its manifest is no JSON", async () => {
    const folder = await artifact();
    await appendFile(join(folder, "manifest.json"), "}");
    await expect(openArtifact("train", folder, "windows")).rejects.toThrow("the manifest is not valid JSON");
  });
});
