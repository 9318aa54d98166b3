/** Lets other work of this thread run: long sums on the host await it between pieces. */
export const breathe = (): Promise<void> => new Promise((resume) => setTimeout(resume, 0));
