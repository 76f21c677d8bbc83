/** Refusals of requests about the fleet. */
import type { HttpError } from '../../agent/api/http-result.ts';
import { fail, type Result } from '../../../packages/base/result.ts';

export const refuseRequest = (error: HttpError): Result<never, HttpError> => fail(error);
