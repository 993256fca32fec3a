//! What to do, for each client.

/// The playbooks, for a llmgate at this address.
pub(super) fn text(base: &str) -> String {
    PLAYBOOKS.replace("{base}", base)
}

const PLAYBOOKS: &str = "
## SETUP PLAYBOOK
1. `llmgate init --yes` writes a first configuration of the keys in the environment; `--preset local` one for Ollama.
   `llmgate config import FILE` makes one of another gateway's file. Keys stay in variables: write
   `api_key: ${NAME}` or `api_key_env: NAME`, never the key itself.
2. `llmgate config validate`: all errors with line and column. `llmgate doctor`: what is wrong outside of the file.
   `llmgate providers check --models`: the names that each provider knows.
3. `llmgate route explain --model NAME`: where a name goes, and why.
4. `llmgate start`, then `llmgate health --wait 5`. A changed file is read again by itself; `llmgate reload` tells
   its errors.

## CLIENT PLAYBOOKS
The safe way for each client is `llmgate run CLIENT`: it starts a proxy of its own, and changes no file of the
client. `llmgate run CLIENT --print` shows command and variables. For a client that is to use the running llmgate
(a client key, where client_auth asks for one, goes into the client's own key variable):

### Claude Code (gate: patch_gate_claude_code)
Environment: ANTHROPIC_BASE_URL={base}/anthropic, ANTHROPIC_AUTH_TOKEN=<client key, or any word>.
ANTHROPIC_API_KEY must not be set. Then: claude --model NAME.

### OpenCode (gate: patch_gate_opencode)
In opencode.json: a provider `llmgate` with npm `@ai-sdk/openai-compatible` and options
baseURL `{base}/openai/v1`, apiKey `{env:LLMGATE_SESSION_KEY}`; under models the names of
`llmgate models`. Then: opencode --model llmgate/NAME.

### Codex CLI (gate: patch_gate_codex_cli)
In ~/.codex/config.toml: model_provider = \"llmgate\" and [model_providers.llmgate] with name = \"llmgate\",
base_url = \"{base}/openai/v1\", env_key = \"LLMGATE_SESSION_KEY\", wire_api = \"responses\".
`llmgate models --codex-catalog FILE` writes a file for model_catalog_json.

### Gemini CLI
In ~/.gemini/settings.json: {\"security\": {\"auth\": {\"selectedType\": \"gemini-api-key\"}}}; without it Gemini CLI ends
with 41, `Invalid auth method selected.`
Environment: GOOGLE_GEMINI_BASE_URL={base}/gemini, GEMINI_API_KEY=<client key, or any word>.
Then: gemini --model NAME.

### GitHub Copilot CLI
Environment: COPILOT_PROVIDER_BASE_URL={base}/openai/v1, COPILOT_PROVIDER_WIRE_API=responses,
COPILOT_PROVIDER_API_KEY=<client key, or any word>. Then: copilot --model NAME.

### Kilo Code CLI
As OpenCode, in kilo.json. Then: kilo --model llmgate/NAME.

### Kimi Code
Environment: KIMI_MODEL_NAME=NAME, KIMI_MODEL_PROVIDER_TYPE=anthropic, KIMI_MODEL_BASE_URL={base}/anthropic,
KIMI_MODEL_API_KEY=<client key, or any word>, KIMI_MODEL_MAX_CONTEXT_SIZE and KIMI_MODEL_MAX_OUTPUT_SIZE=<tokens>.
Then: kimi.

### Mistral Vibe
Environment: VIBE_PROVIDERS=[{\"name\": \"llmgate\", \"api_base\": \"{base}/anthropic\", \"api_style\": \"anthropic\",
\"api_key_env_var\": \"LLMGATE_SESSION_KEY\"}], VIBE_MODELS=[{\"name\": \"NAME\", \"provider\": \"llmgate\"}],
VIBE_ACTIVE_MODEL=NAME, LLMGATE_SESSION_KEY=<client key, or any word>. Then: vibe.

### Any SDK
OpenAI: base URL {base}/openai/v1. Anthropic: {base}/anthropic. Google: {base}/gemini.
";
