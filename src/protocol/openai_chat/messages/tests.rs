use super::*;
use crate::ir::carrier::State;
use crate::ir::request::Reasoning;
use crate::protocol::dialect::Dialect;

#[test]
fn at_mistral_the_model_speaks_between_a_result_and_the_user() {
    let (id, name) = ("123456789".to_owned(), "f".to_owned());
    let call = ToolCall { id: id.clone(), name, arguments: String::new(), free_form: false, state: None };
    let content = vec![ResultPart::Text("done".to_owned())];
    let result = Block::Result(ToolResult { id, name: None, content, failed: false });
    let said = |role| Turn::of(role, Block::Text("x".to_owned()));
    for role in [Role::User, Role::Instructions] {
        let calls = Turn::of(Role::Assistant, Block::Call(call.clone()));
        let turns =
            vec![said(Role::User), calls, Turn::of(Role::User, result.clone()), said(role), said(Role::User)];
        let request = Request { turns, ..Request::default() };
        let roles = |is_mistral| -> Vec<&str> {
            let dialect = Dialect { is_mistral, ..Dialect::default() };
            let target = TargetContext { model: "m", dialect: &dialect, session: None };
            write(&request, &target, &mut Losses::default()).iter().map(|message| message.role).collect()
        };
        assert_eq!(roles(false), ["user", "assistant", "tool", "user", "user"]);
        assert_eq!(roles(true), ["user", "assistant", "tool", "assistant", "user", "user"]);
    }
}

#[test]
fn reasoning_goes_where_the_server_reads_it() {
    let dialect = |reasoning_field| Dialect { reasoning_field, provider: "p".into(), ..Dialect::default() };
    let detail = serde_json::json!({"type": "reasoning.encrypted", "data": "d"});
    let state = State { provider: "p".into(), ..State::of(ORIGIN, vec![detail]) };
    let thought = Block::Reasoning(Reasoning { text: "hm".into(), state: Some(state) });
    let call = ToolCall {
        id: "1".into(),
        name: "f".into(),
        arguments: String::new(),
        free_form: false,
        state: None,
    };
    let turns = vec![Turn { role: Role::Assistant, blocks: vec![thought, Block::Call(call)] }];
    let request = Request { turns, ..Request::default() };
    let written = |field| {
        let dialect = dialect(field);
        let target = TargetContext { model: "m", dialect: &dialect, session: None };
        let messages = write(&request, &target, &mut Losses::default());
        messages.iter().map(pen::written).collect::<String>()
    };
    let details = r#""reasoning_details":[{"type":"reasoning.encrypted","data":"d"}]"#;
    for (field, words) in [
        (ReasoningField::ReasoningContent, r#""reasoning_content":"hm""#),
        (ReasoningField::Reasoning, r#""reasoning":"hm""#),
    ] {
        let message = written(field);
        assert!(message.contains(words) && message.contains(details), "{message}");
    }
    assert!(!written(ReasoningField::None).contains("hm"));
}

#[test]
fn openai_knows_more_roles_and_fields_than_others() {
    let turns = vec![
        Turn::of(Role::User, Block::Text("x".into())),
        Turn::of(Role::Assistant, Block::Refusal("no".into())),
        Turn::of(Role::Instructions, Block::Text("be quick".into())),
    ];
    let request = Request { turns, ..Request::default() };
    let written = |is_openai| {
        let dialect = Dialect { is_openai, ..Dialect::default() };
        let target = TargetContext { model: "m", dialect: &dialect, session: None };
        let messages = write(&request, &target, &mut Losses::default());
        messages.iter().skip(1).map(pen::written).collect::<Vec<_>>().join("\n")
    };
    let own = r#"{"role":"assistant","content":null,"refusal":"no"}
{"role":"developer","content":"be quick"}"#;
    assert_eq!(written(true), own);
    let plain = r#"{"role":"assistant","content":"no"}
{"role":"user","content":"<system-reminder>\nbe quick\n</system-reminder>"}"#;
    assert_eq!(written(false), plain);
}

#[test]
fn state_of_a_call_goes_home_alone() {
    let extra = serde_json::json!({"google": {"thought_signature": "c2ln"}});
    for (provider, told) in [("p", true), ("q", false)] {
        let state = State { provider: provider.into(), ..State::of(ORIGIN, vec![extra.clone()]) };
        let (id, name) = ("1".to_owned(), "f".to_owned());
        let call = ToolCall { id, name, arguments: String::new(), free_form: false, state: Some(state) };
        let request =
            Request { turns: vec![Turn::of(Role::Assistant, Block::Call(call))], ..Request::default() };
        let dialect = Dialect { provider: "p".into(), ..Dialect::default() };
        let target = TargetContext { model: "m", dialect: &dialect, session: None };
        let mut losses = Losses::default();
        let messages: String = write(&request, &target, &mut losses).iter().map(pen::written).collect();
        assert_eq!(messages.contains(&extra.to_string()), told, "{messages}");
        assert_eq!(losses.iter().any(|loss| loss.why == "foreign reasoning"), !told);
    }
}
