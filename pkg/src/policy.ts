// What a page's policies ask of the package: script addresses that are trusted, and errors that name the directive at fault.

/** What is used of Trusted Types, which TypeScript's library does not have. */
interface TrustedTypes {
  createPolicy(
    name: string,
    rules: { createScriptURL: (url: string) => string },
  ): { createScriptURL: (url: string) => unknown };
}

/** The name that a page with `trusted-types` has to allow. */
export const policyName = "adversight";

let policy: ReturnType<TrustedTypes["createPolicy"]> | null | undefined;

/** The address of one of the package's scripts, or of one that the user gave, in the form that `new Worker` takes under every policy. */
export function trusted(url: string): string {
  const { trustedTypes } = globalThis as { trustedTypes?: TrustedTypes };
  if (policy === undefined) {
    try {
      policy = trustedTypes?.createPolicy(policyName, { createScriptURL: (address) => address }) ?? null;
    } catch {
      policy = null; // the page does not allow it: where it is needed, `new Worker` says so
    }
  }
  return policy ? (policy.createScriptURL(url) as string) : url;
}

/** What a page's policy has refused. */
export interface Refusal {
  directive: string;
  blocked: string;
}

/**
 * Notes what the page's Content Security Policy refuses until `end` is called. The browser's own errors do not say it: a fetch that is
 * refused looks as one without an answer.
 */
export function watchPolicy(): { refusal: () => Promise<Refusal | null>; end: () => void } {
  const scope: Partial<Pick<EventTarget, "addEventListener" | "removeEventListener">> = globalThis;
  let seen: Refusal | null = null;
  const note = (event: Event) => {
    const { disposition, effectiveDirective, blockedURI } = event as SecurityPolicyViolationEvent;
    if (disposition === "enforce") seen = { directive: effectiveDirective, blocked: blockedURI };
  };
  scope.addEventListener?.("securitypolicyviolation", note);
  return {
    // The event is a task of its own, which may come after the error.
    refusal: async () => {
      if (!seen && scope.addEventListener) await new Promise((resolve) => setTimeout(resolve, 20));
      return seen;
    },
    end: () => {
      scope.removeEventListener?.("securitypolicyviolation", note);
    },
  };
}

/** A sentence about what was refused, for the end of an error. */
export function refused({ directive, blocked }: Refusal): string {
  const what =
    /^(inline|eval|wasm-eval|trusted-types-\w+)$/.test(blocked) || blocked === "" ? "this" : blocked;
  return `The page's Content Security Policy does not allow ${what}: see its directive ${directive}.`;
}
