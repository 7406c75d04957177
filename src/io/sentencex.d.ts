/** The package has no types of its own. */
declare module 'sentencex' {
  /** @param language a code such as "en" */
  export function segment(language: string, text: string): string[];
}
