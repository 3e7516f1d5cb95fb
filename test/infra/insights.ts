/**
 * Reads a CloudWatch Logs Insights query: the commands and the expressions that ours use, as AWS documents them ("CloudWatch Logs Insights
 * language query syntax"). Throws for whatever is not in them.
 */
export interface ReadQuery {
	commands: string[];
	/** fields of log lines that it reads; names that the query makes itself are not among them */
	fields: string[];
}

const FUNCTIONS = new Set(["count", "sum", "avg", "min", "max", "latest", "earliest", "pct", "bin", "ispresent", "isblank", "strcontains"]);
const TOKEN = /\s+|"(?:[^"\\]|\\.)*"|\d+[smhd]\b|\d+(?:\.\d+)?|`[^`]+`|@?[A-Za-z_][\w.]*|!=|<=|>=|[=<>+\-*/%(),[\]]/y;
const COMPARISONS = new Set(["=", "!=", "<", "<=", ">", ">=", "in", "like"]);
const WORDS = new Set(["and", "or", "not", "in", "like", "as", "by", "asc", "desc"]);

export function readQuery(query: string): ReadQuery {
	const reading = new Reading();
	const commands = splitCommands(query).map((text) => reading.command(text));
	return { commands, fields: [...reading.fields] };
}

/** `|` in quotes separates nothing. */
function splitCommands(query: string): string[] {
	const parts = query.match(/(?:"(?:[^"\\]|\\.)*"|[^|"])+/g);
	if (parts === null) throw new SyntaxError("an empty query");
	return parts.map((part) => part.trim());
}

class Reading {
	readonly fields = new Set<string>();
	readonly #made = new Set<string>();
	#tokens: string[] = [];

	command(text: string): string {
		this.#tokens = tokensOf(text);
		const name = this.#take();
		switch (name) {
			case "fields":
				this.#list(() => this.#named());
				break;
			case "filter":
				this.#expression();
				break;
			case "stats":
				this.#list(() => this.#named());
				if (this.#accept("by")) this.#list(() => this.#named());
				break;
			case "sort":
				this.#list(() => {
					this.#expression();
					if (!this.#accept("asc")) this.#accept("desc");
				});
				break;
			case "limit":
				if (!/^\d+$/.test(this.#take())) throw new SyntaxError("limit wants a number");
				break;
			default:
				throw new SyntaxError(`no command ${name}`);
		}
		const [left] = this.#tokens;
		if (left !== undefined) throw new SyntaxError(`${name}: ${left} is too much`);
		return name;
	}

	#list(one: () => void): void {
		do one();
		while (this.#accept(","));
	}

	#named(): void {
		this.#expression();
		if (this.#accept("as")) this.#made.add(this.#take());
	}

	#expression(): void {
		this.#not();
		while (this.#accept("and") || this.#accept("or")) this.#not();
	}

	#not(): void {
		this.#accept("not");
		this.#sum();
		const [operator] = this.#tokens;
		if (operator === undefined || !COMPARISONS.has(operator)) return;
		this.#take();
		this.#sum();
	}

	#sum(): void {
		this.#value();
		while (["+", "-", "*", "/", "%"].some((operator) => this.#accept(operator))) this.#value();
	}

	#value(): void {
		const token = this.#take();
		if (token === "(") {
			this.#expression();
			return this.#expect(")");
		}
		if (token === "[") {
			this.#list(() => this.#value());
			return this.#expect("]");
		}
		if (/^["\d]/.test(token)) return;
		if (token.startsWith("`")) return void this.fields.add(token.slice(1, -1));
		if (!/^[@A-Za-z_]/.test(token) || WORDS.has(token)) throw new SyntaxError(`${token} is no value`);
		if (this.#accept("(")) {
			if (!FUNCTIONS.has(token)) throw new SyntaxError(`no function ${token}`);
			if (!this.#accept("*") && this.#tokens[0] !== ")") this.#list(() => this.#expression());
			return this.#expect(")");
		}
		if (!this.#made.has(token)) this.fields.add(token);
	}

	#take(): string {
		const token = this.#tokens.shift();
		if (token === undefined) throw new SyntaxError("the query ends too early");
		return token;
	}

	#accept(token: string): boolean {
		if (this.#tokens[0] !== token) return false;
		this.#tokens.shift();
		return true;
	}

	#expect(token: string): void {
		if (!this.#accept(token)) throw new SyntaxError(`${token} is missing before ${this.#tokens[0] ?? "the end"}`);
	}
}

function tokensOf(text: string): string[] {
	const tokens: string[] = [];
	TOKEN.lastIndex = 0;
	while (TOKEN.lastIndex < text.length) {
		const at = TOKEN.lastIndex;
		const [token] = TOKEN.exec(text) ?? [];
		if (token === undefined) throw new SyntaxError(`cannot read ${text.slice(at, at + 20)}`);
		if (token.trim() !== "") tokens.push(token);
	}
	return tokens;
}
