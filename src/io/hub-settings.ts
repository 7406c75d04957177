import { homedir } from 'node:os';
import { join } from 'node:path';
import { UsageError } from '../core/errors.js';

/** A model on the hub: `org/name`, or `org/name@revision`. */
export interface HubName {
  readonly repo: string;
  /** A branch, a tag or a commit. */
  readonly revision: string;
}

/** What Hugging Face's own libraries take from the environment (huggingface_hub/constants.py). */
export interface HubSettings {
  /** HF_ENDPOINT: the hub itself or a mirror, without a slash at the end. */
  readonly endpoint: string;
  /** HF_HUB_CACHE, or `hub` in HF_HOME: shared with those libraries. */
  readonly cache: string;
  /** HF_HUB_OFFLINE: only what is in the cache. */
  readonly offline: boolean;
  /** HF_TOKEN, for models that are not for everybody. */
  readonly token: string | null;
}

const NAME = /^([A-Za-z0-9][\w.-]*\/[A-Za-z0-9][\w.-]*)(?:@([\w][\w./-]*))?$/;

/** @returns null for what cannot be the name of a model on the hub */
export function parseHubName(text: string): HubName | null {
  const [, repo, revision = 'main'] = NAME.exec(text) ?? [];
  return repo === undefined || revision.includes('..') ? null : { repo, revision };
}

const isOn = (value: string | undefined): boolean => /^(1|on|yes|true)$/i.test(value ?? '');

/** @throws {UsageError} HF_ENDPOINT is no address */
export function hubSettings(env: Readonly<Record<string, string | undefined>> = process.env): HubSettings {
  const endpoint = (env.HF_ENDPOINT || 'https://huggingface.co').replace(/\/+$/, '');
  if (!URL.canParse(endpoint) || !/^https?:/.test(endpoint)) {
    throw new UsageError(`HF_ENDPOINT is ${JSON.stringify(endpoint)}, which is no address`, {
      code: 'USAGE-HUB',
      fix: 'set it to the address of the hub or of a mirror, such as https://hf-mirror.com',
    });
  }
  const home = env.HF_HOME || join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'huggingface');
  return {
    endpoint,
    cache: env.HF_HUB_CACHE || join(home, 'hub'),
    offline: isOn(env.HF_HUB_OFFLINE),
    token: env.HF_TOKEN?.trim() || null,
  };
}
