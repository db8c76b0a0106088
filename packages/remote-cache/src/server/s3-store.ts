import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  S3ServiceException,
} from "@aws-sdk/client-s3";
import { BertqaError } from "@bertqa/core";
import { createReadStream } from "node:fs";
import { rm } from "node:fs/promises";
import type { Readable } from "node:stream";
import { hashPattern, namespacePattern, nameOf, type EntryKey } from "../names.ts";
import { BodyLengthError, makeScratchFolder, spool } from "../scratch.ts";
import { DamagedEntryError, type Store, type StoredEntry } from "./store.ts";

/** A bucket, and how to reach it. Credentials come from where the AWS client looks: environment, files, the machine's role. */
export interface Bucket {
  readonly bucket: string;
  /** Before every key, for example `bertqa/`. */
  readonly prefix: string;
  /** Of an S3-compatible server; undefined for Amazon's. */
  readonly endpoint: string | undefined;
  readonly region: string | undefined;
}

/** A store in an S3-compatible bucket: objects `<prefix><namespace>/<hash>` that carry their sha256 as metadata. */
export async function openS3Store({ bucket, prefix, endpoint, region }: Bucket): Promise<Store> {
  const client = new S3Client({
    ...(endpoint === undefined ? {} : { endpoint, forcePathStyle: true }),
    ...(region === undefined ? {} : { region }),
    // Our own sha256 is checked at both ends; compatible servers often lack the newer checksums.
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
  });
  const scratchFolder = await makeScratchFolder("cache-server", "bertqa-cache-");
  const at = (key: EntryKey) => ({ Bucket: bucket, Key: prefix + nameOf(key) });
  const has = async (key: EntryKey) => (await orMissing(client.send(new HeadObjectCommand(at(key))))) !== undefined;

  return {
    scratchFolder,
    list: () => listEntries(client, bucket, prefix),
    has,
    open: async (key) => {
      const found = await orMissing(client.send(new GetObjectCommand(at(key))));
      if (!found) return undefined;
      const sha256 = found.Metadata?.["sha256"];
      const file = await spool(found.Body as Readable, scratchFolder, found.ContentLength ?? 0).catch(
        (error: unknown) => {
          throw error instanceof BodyLengthError ? new DamagedEntryError(`${nameOf(key)}: ${error.message}`) : error;
        },
      );
      if (file.sha256 !== sha256) {
        await file.remove();
        throw new DamagedEntryError(`${nameOf(key)} has sha256 ${file.sha256}, it was written with ${sha256}`);
      }
      return {
        bytes: file.bytes,
        sha256: file.sha256,
        stream: () => createReadStream(file.path).once("close", () => void file.remove()),
        close: () => file.remove(),
      };
    },
    put: async (key, file) => {
      if (await has(key)) return false;
      const send = (condition: { IfNoneMatch?: string }) =>
        client.send(
          new PutObjectCommand({
            ...at(key),
            ...condition,
            Body: createReadStream(file.path),
            ContentLength: file.bytes,
            ContentType: "application/gzip",
            Metadata: { sha256: file.sha256 },
          }),
        );
      try {
        await send({ IfNoneMatch: "*" });
      } catch (error) {
        const status = error instanceof S3ServiceException ? error.$metadata.httpStatusCode : undefined;
        if (status === 412 || status === 409) return false;
        if (status !== 501) throw error;
        await send({}); // a server without conditional writes: the look above has to do
      }
      return true;
    },
    remove: async (key) => void (await client.send(new DeleteObjectCommand(at(key)))),
    close: async () => {
      client.destroy();
      await rm(scratchFolder, { recursive: true, force: true });
    },
  };
}

async function* listEntries(client: S3Client, bucket: string, prefix: string): AsyncIterable<StoredEntry> {
  let token: string | undefined;
  do {
    const page = await client
      .send(
        new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix, ...(token ? { ContinuationToken: token } : {}) }),
      )
      .catch((cause: Error) => {
        const remedy = "Check --bucket, --region, --endpoint and the credentials of the AWS client";
        throw new BertqaError("cache-server", `the bucket ${bucket} cannot be listed: ${cause.message || cause.name}`, {
          ...{ remedy, cause },
        });
      });
    for (const { Key = "", Size = 0, LastModified } of page.Contents ?? []) {
      const [namespace = "", hash = "", ...more] = Key.slice(prefix.length).split("/");
      if (more.length > 0 || !namespacePattern.test(namespace) || !hashPattern.test(hash)) continue;
      yield { namespace, hash, bytes: Size, usedMs: LastModified?.getTime() ?? 0 };
    }
    token = page.NextContinuationToken;
  } while (token !== undefined);
}

async function orMissing<Answer>(answer: Promise<Answer>): Promise<Answer | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof S3ServiceException && error.$metadata.httpStatusCode === 404) return undefined;
    throw error;
  }
}
