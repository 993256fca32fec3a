//! What is told of a provider, for each thing that it may say.

use super::*;
use crate::base::env::Env;
use crate::config::{Overrides, from_text};

const URL: &str = "base_url: 'https://a.example/v1', protocol: openai-responses";

fn no(status: u16, class: Class) -> Said {
    Said::No { status, class, words: "no".to_owned() }
}

fn list(said: Said) -> List {
    let names = ["m-1", "m-2", "m-3", "m-4"].map(str::to_owned).to_vec();
    List { said, names, guess: Some(Protocol::OpenaiChat), first_byte: Duration::from_millis(5) }
}

/// What is told of a provider with these keys, as `state check: said > next`.
fn told(keys: &str, list: Result<List, Failure>, answer: Option<Said>, client_key: bool) -> String {
    let text = format!("version: 1\nproviders: {{up: {{{keys}}}}}\n");
    let env = Env::of([("UP_KEY", "sk-0123456789")]);
    let config = from_text(&text, "t".as_ref(), &env, &Overrides::default()).unwrap();
    let answer = answer
        .map(|said| Ok(Answer { streamed: said == Said::Yes, said, first_byte: Duration::from_millis(7) }));
    let model = answer.is_some().then(|| ModelName::parse("m-5").unwrap());
    let provider = config.providers.first().unwrap();
    let inspected = Inspected { provider, list, model, answer, client_key };
    let wish = Wish { model: None, stream: true, asks: true, limit: Duration::from_secs(1) };
    let found = inspected.findings(&|check| check.to_owned(), wish);
    let lines = found.iter().map(|it| {
        let next = it.next.as_ref().map(|next| format!(" > {next}")).unwrap_or_default();
        format!("{} {}: {}{next}\n", it.state.word(), it.check, it.said)
    });
    lines.collect()
}

#[test]
fn a_key_is_judged_by_the_list_and_by_the_answer() {
    let by_variable = format!("{URL}, api_key_env: UP_KEY");
    let inline = format!("{URL}, api_key: sk-9876543210");
    let bare = format!("{URL}, auth: none");
    let near = URL.replace("https", "http");
    let (auth, lost) = (|| no(401, Class::Auth), || no(404, Class::NotFound));
    for (keys, of_list, answer, line) in [
        (&by_variable, Said::Yes, Some(Said::Yes), "ok key: the key in UP_KEY is valid"),
        (&by_variable, Said::Yes, None, "ok key: the key in UP_KEY is taken for the list of models"),
        (
            &by_variable,
            Said::Yes,
            Some(auth()),
            "fail key: the key in UP_KEY is refused: no > set UP_KEY to a",
        ),
        (
            &by_variable,
            lost(),
            None,
            "warn key: whether the key in UP_KEY is valid was not told > name a model",
        ),
        (&by_variable, lost(), Some(lost()), "warn key: whether the key in UP_KEY is valid was not told"),
        (&inline, auth(), None, "fail key: providers.up.api_key is refused: no > put a valid key into prov"),
        (&URL.to_owned(), auth(), None, "fail key: a key is wanted, and none is configured: no > set prov"),
        (&URL.to_owned(), Said::Yes, Some(Said::Yes), "ok key: no key is needed"),
        (&URL.to_owned(), Said::Yes, None, "warn key: no key is configured > set providers.up.api_key or"),
        (&bare, Said::Yes, None, "ok key: no key is configured"),
        (&near, Said::Yes, None, "ok key: no key is configured"),
    ] {
        let told = told(keys, Ok(list(of_list)), answer, false);
        assert!(told.contains(&format!("\n{line}")), "{line}: {told}");
    }
    let told = told(URL, Ok(list(auth())), None, true);
    assert!(told.contains("\nok key: clients send their own") && !told.contains("model:"), "{told}");
}

#[test]
fn a_refused_model_gets_the_next_step_of_its_kind() {
    for (status, class, line) in [
        (404, Class::NotFound, "fail model: m-5: 404 not_found: no > did you mean m-"),
        (402, Class::Quota, "fail model: m-5: 402 quota: no > the account has no credit left"),
        (429, Class::RateLimit, "warn model: m-5: 429 rate_limit: no > try again in a while"),
        (503, Class::Transient, "warn model: m-5: 503 transient: no > try again in a while"),
        (400, Class::BadRequest, "warn model: m-5: 400 bad_request: no > the model is there"),
        (400, Class::Policy, "warn model: m-5: 400 policy: no > the model is there"),
        (413, Class::TooLarge, "fail model: m-5: 413 too_large: no > see what a.example says"),
    ] {
        let told = told(URL, Ok(list(Said::Yes)), Some(no(status, class)), false);
        assert!(told.contains(&format!("\n{line}")) && !told.contains("stream:"), "{line}: {told}");
    }
    assert_eq!(
        told(&format!("{URL}, auth: none"), Ok(list(Said::Yes)), Some(Said::Yes), false),
        "ok tls: a.example answers in 5 ms, its certificate is trusted\nok key: no key is needed\n\
         ok protocol: openai-responses\nok model: m-5 answers, first byte after 7 ms\n\
         ok stream: events come, up to their end\n"
    );
    let told = told(URL, Ok(list(Said::Yes)), None, false);
    assert!(told.ends_with("> name one with --model, such as m-1, m-2, m-3\n"), "{told}");
}

#[test]
fn another_protocols_list_and_what_is_not_reached_lead_on() {
    let gemini = URL.replace("openai-responses", "[gemini, anthropic]").replace("https", "http");
    let foreign = told(&gemini, Ok(list(Said::Yes)), None, false);
    assert!(foreign.starts_with("ok reached: a.example answers in 5 ms (http, no TLS)\n"), "{foreign}");
    let line = "\nwarn protocol: gemini, anthropic is configured, but its list of models looks like openai-chat's \
                > if that is so: providers.up.protocol: openai-chat\n";
    assert!(foreign.contains(line), "{foreign}");
    let slow = told(URL, Err(Failure::Slow(Duration::from_secs(6))), None, false);
    assert!(slow.starts_with("fail reached: ") && slow.contains("; or give it more time"), "{slow}");
    let away = told(URL, Err(Failure::Unreachable("no route".to_owned())), None, false);
    assert!(away.contains("(https://a.example/v1), the network and `proxy`\n"), "{away}");
}
