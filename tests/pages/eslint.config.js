// The rules that the scripts of the pages keep. Types are checked by TypeScript, see tsconfig.json.
import js from "@eslint/js";

const browser = [
  "AbortController Blob DOMException File FormData MouseEvent KeyboardEvent PointerEvent HTMLElement Node URL",
  "ResizeObserver IntersectionObserver MutationObserver TextDecoder TextEncoder URLSearchParams Event CustomEvent",
  "document window location history navigator console fetch performance crypto structuredClone queueMicrotask",
  "localStorage sessionStorage matchMedia getComputedStyle devicePixelRatio innerWidth innerHeight atob btoa",
  "requestAnimationFrame cancelAnimationFrame setTimeout clearTimeout setInterval clearInterval",
].flatMap((names) => names.split(" "));

export default [
  {
    files: ["**/*.js"],
    ignores: ["vendor/**"],
    languageOptions: {
      ecmaVersion: 2023,
      sourceType: "module",
      globals: Object.fromEntries(browser.map((name) => [name, "readonly"])),
    },
    linterOptions: { reportUnusedDisableDirectives: "error" },
    rules: {
      ...js.configs.recommended.rules,
      complexity: ["error", 12],
      curly: ["error", "multi-line"],
      eqeqeq: "error",
      "max-lines": ["error", 300],
      "max-lines-per-function": ["error", { max: 80, skipBlankLines: true, skipComments: true }],
      "no-alert": "error",
      "no-console": "error",
      "no-eval": "error",
      "no-implicit-coercion": "error",
      "no-implied-eval": "error",
      "no-param-reassign": "error",
      "no-shadow": "error",
      "no-unused-vars": ["error", { args: "all", argsIgnorePattern: "^_" }],
      "no-var": "error",
      "object-shorthand": "error",
      "prefer-const": "error",
      "prefer-template": "error",
      "require-await": "error",
    },
  },
];
