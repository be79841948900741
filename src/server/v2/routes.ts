/** The route table of the API v2. */
import type { Route } from '../route.ts';
import { COLLECTION_ROUTES } from './collections.ts';
import { DATABASE_ROUTES } from './databases.ts';
import { RECORD_ROUTES } from './records.ts';
import { REPORT_ROUTES } from './reports.ts';
import { SUCCESSION_ROUTES } from './succession.ts';
import { SYSTEM_ROUTES } from './system.ts';
import { UNSUPPORTED_ROUTES } from './unsupported.ts';

/** Every route, in the order in which they are matched. */
export const V2_ROUTES: readonly Route[] = [
  ...SYSTEM_ROUTES,
  ...DATABASE_ROUTES,
  ...COLLECTION_ROUTES,
  ...RECORD_ROUTES,
  ...REPORT_ROUTES,
  ...SUCCESSION_ROUTES,
  ...UNSUPPORTED_ROUTES,
];
