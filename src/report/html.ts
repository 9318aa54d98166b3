import type { DistilledSet } from '../eval/evaluate.js';
import type { RunRecord } from './record.js';
export function reportHtml(record: RunRecord, set: DistilledSet): string {
  return `${record.protocol} ${set.steps}`;
}
