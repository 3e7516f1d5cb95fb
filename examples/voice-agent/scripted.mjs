// Speech recognition, a language model and a voice that need no key: they do what a script says, so that the example runs anywhere and its test
// knows what to expect. Put plugins of your choice in their places (agent.mjs); nothing else changes.
import { llm, stt, tts } from "@livekit/agents";
import { AudioFrame } from "@livekit/rtc-node";

const LOUD = 800;
const SPOKE_MS = 200;
const SILENT_MS = 500;

/** Hears when somebody has spoken, and says that it was the next line of the script; after the last one, "goodbye". */
export class ScriptedEars extends stt.STT {
	label = "scripted.STT";
	lines;

	constructor(lines) {
		super({ streaming: true, interimResults: false });
		this.lines = [...lines];
	}

	stream() {
		return new ScriptedHearing(this);
	}

	async _recognize() {
		throw new Error("hears streams only");
	}
}

class ScriptedHearing extends stt.SpeechStream {
	label = "scripted.SpeechStream";
	#ears;

	constructor(ears) {
		super(ears, 16_000);
		this.#ears = ears;
	}

	async run() {
		let spokeMs = 0;
		let silentMs = 0;
		for await (const frame of this.input) {
			if (!(frame instanceof AudioFrame)) continue;
			const ms = (1000 * frame.samplesPerChannel) / frame.sampleRate;
			const loud = frame.data.some((sample) => Math.abs(sample) > LOUD);
			if (loud && spokeMs === 0) this.queue.put({ type: stt.SpeechEventType.START_OF_SPEECH });
			spokeMs = loud ? spokeMs + ms : spokeMs;
			silentMs = loud ? 0 : silentMs + ms;
			if (spokeMs < SPOKE_MS || silentMs < SILENT_MS) continue;
			const text = this.#ears.lines.shift() ?? "goodbye";
			const said = { language: "en", text, startTime: 0, endTime: spokeMs / 1000, confidence: 1 };
			this.queue.put({ type: stt.SpeechEventType.FINAL_TRANSCRIPT, alternatives: [said] });
			this.queue.put({ type: stt.SpeechEventType.END_OF_SPEECH });
			spokeMs = 0;
		}
	}
}

/** Answers with the first rule whose pattern fits what was said last: `say` in words, `call` a tool. */
export class ScriptedModel extends llm.LLM {
	rules;

	constructor(rules) {
		super();
		this.rules = rules;
	}

	label() {
		return "scripted.LLM";
	}

	chat(request) {
		return new ScriptedAnswer(this, request);
	}
}

class ScriptedAnswer extends llm.LLMStream {
	#rules;

	constructor(model, { chatCtx, toolCtx, connOptions }) {
		super(model, { chatCtx, toolCtx, connOptions: connOptions ?? { maxRetry: 0, retryIntervalMs: 0, timeoutMs: 10_000 } });
		this.#rules = model.rules;
	}

	async run() {
		const last = this.chatCtx.items.at(-1);
		const said = last?.type === "function_call_output" ? `tool: ${last.output}` : (last?.textContent ?? "");
		const rule = this.#rules.find(({ when }) => when.test(said));
		const id = `scripted-${this.chatCtx.items.length}`;
		if (rule?.call !== undefined) {
			const call = llm.FunctionCall.create({ callId: id, name: rule.call, args: JSON.stringify(rule.with ?? {}) });
			this.queue.put({ id, delta: { role: "assistant", toolCalls: [call] } });
		} else if (rule?.say !== undefined) {
			this.queue.put({ id, delta: { role: "assistant", content: rule.say } });
		}
	}
}

const RATE = 24_000;
const WORD_MS = 160;

/** A voice of tones: each word has its own pitch. */
export class ScriptedVoice extends tts.TTS {
	label = "scripted.TTS";

	constructor() {
		super(RATE, 1, { streaming: false });
	}

	synthesize(text, connOptions, signal) {
		return new ScriptedSpeech(text, this, connOptions, signal);
	}

	stream() {
		throw new Error("speaks sentences only");
	}
}

class ScriptedSpeech extends tts.ChunkedStream {
	label = "scripted.ChunkedStream";

	async run() {
		const words = this.inputText.split(/\s+/).filter((word) => word !== "");
		const frames = words.map((word) => toneFrame(pitchOf(word)));
		frames.forEach((frame, index) =>
			this.queue.put({ requestId: "scripted", segmentId: "scripted", frame, final: index === frames.length - 1 }),
		);
		this.queue.close();
	}
}

/** Hz: 500, 550 … 1000 by the word's length */
export const pitchOf = (word) => 500 + 50 * (word.length % 11);

function toneFrame(hz) {
	const length = (RATE * WORD_MS) / 1000;
	const data = new Int16Array(length);
	for (let i = 0; i < length; i++) {
		const fade = Math.min(1, i / 120, (length - i) / 120);
		data[i] = 6_000 * fade * Math.sin((2 * Math.PI * hz * i) / RATE);
	}
	return new AudioFrame(data, RATE, 1, length);
}
