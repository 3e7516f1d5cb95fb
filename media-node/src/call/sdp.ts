import type { NegotiatedAudio } from "./ports.ts";
