//! One conformance table over all wires: what they say is understood the same, and every known fault
//! becomes the right error.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on should say so")]

mod house;

use agent::message::{Message, Part, Role, Spec, ToolResult, Usage};
use agent::model::anthropic::Anthropic;
use agent::model::gemini::Gemini;
use agent::model::openai::OpenAi;
use agent::model::responses::Responses;
use agent::model::{Assembly, Delta, Model, ModelError, Request, Stop};
use futures_util::StreamExt;
use house::model::{Fault, ModelServer, Tokens, Turn, Wire};
use secrecy::SecretString;
use serde_json::{Value, json};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

const KEY: &str = "FAKE-model-canary-0123456789";

static SPEC: LazyLock<Spec> = LazyLock::new(|| Spec {
    name: "read".into(),
    description: "Reads a file.".into(),
    parameters: json!({"type": "object", "properties": {"filePath": {"type": "string"}}}),
});

fn open(wire: Wire, base_url: &str, idle: Duration) -> Box<dyn Model> {
    let url = base_url.parse().unwrap();
    let key = SecretString::from(KEY);
    match wire {
        Wire::OpenAi => Box::new(OpenAi::new("scripted", &url, key).unwrap().with_idle(idle)),
        Wire::Anthropic => Box::new(Anthropic::new("scripted", &url, key).unwrap().with_idle(idle)),
        Wire::Responses => Box::new(Responses::new("scripted", &url, key).unwrap().with_idle(idle)),
        Wire::Gemini => Box::new(Gemini::new("scripted", &url, key).unwrap().with_idle(idle)),
    }
}

fn request<'a>(tools: &'a [&'static Spec], messages: &'a [Message]) -> Request<'a> {
    Request { system: "You are a test.", tools, messages, max_output: 1000 }
}

/// Asks once and reads to the end.
async fn ask(model: &dyn Model, messages: &[Message]) -> (Vec<Delta>, Option<ModelError>) {
    let tools = [&*SPEC];
    let mut stream = model.stream(request(&tools, messages));
    let mut deltas = Vec::new();
    while let Some(answered) = stream.next().await {
        match answered {
            Ok(delta) => deltas.push(delta),
            Err(error) => {
                assert!(stream.next().await.is_none(), "nothing follows an error");
                return (deltas, Some(error));
            }
        }
    }
    (deltas, None)
}

fn assemble(deltas: &[Delta]) -> Assembly {
    let mut assembly = Assembly::default();
    for delta in deltas {
        assembly.push(delta);
    }
    assembly
}

async fn play(wire: Wire, turn: Turn) -> (Vec<Delta>, Option<ModelError>) {
    // Short where silence is the point, long where a busy machine may take its time.
    let idle = if turn.is_silent() { 400 } else { 20_000 };
    let server = ModelServer::start(wire, vec![turn]).await;
    let model = open(wire, &server.base_url(), Duration::from_millis(idle));
    ask(model.as_ref(), &[Message::user("go")]).await
}

/// The answer a turn should give, on every wire.
async fn answer(wire: Wire, turn: Turn) -> Assembly {
    let (deltas, error) = play(wire, turn).await;
    assert_eq!(error, None, "{wire:?}");
    let stops = deltas.iter().filter(|delta| matches!(delta, Delta::Stop(_))).count();
    assert_eq!(stops, 1, "{wire:?}: one stop");
    assert!(matches!(deltas.last(), Some(Delta::Stop(_))), "{wire:?}: the stop is last");
    assemble(&deltas)
}

async fn says(turn: Turn, expected: &str) {
    for wire in Wire::ALL {
        let assembly = answer(wire, turn.clone()).await;
        assert_eq!(assembly.stop, Some(Stop::End), "{wire:?}");
        let said = assembly.message().text();
        assert!(said == expected, "{wire:?}: {} bytes, not the {} expected", said.len(), expected.len());
    }
}

#[tokio::test]
async fn text_arrives_as_it_was_said() {
    says(Turn::text("Hello, world."), "Hello, world.").await;
    let unicode = "grüße 日本語 🦀👩‍👩‍👧‍👦 e\u{301}\u{2028}\"\\\n\t\u{0} end";
    for bytes in [1, 2, 3, 5, 7] {
        says(Turn::text(unicode).in_deltas_of(4).in_writes_of(bytes), unicode).await;
    }
}

#[tokio::test]
async fn framing_and_noise_make_no_difference() {
    says(Turn::text("steady").with_crlf(), "steady").await;
    says(Turn::text("steady").with_crlf().in_writes_of(1), "steady").await;
    says(Turn::text("steady").with_bom(), "steady").await;
    says(Turn::text("steady").with_noise(), "steady").await;
    says(Turn::text("steady").with_noise().with_crlf().in_writes_of(3), "steady").await;
    says(Turn::text("steady").without_done(), "steady").await;
}

#[tokio::test]
async fn a_megabyte_in_small_deltas_arrives_whole() {
    let text = "sixteen bytes.. ".repeat(64 * 1024);
    let start = Instant::now();
    says(Turn::text(text.clone()).in_deltas_of(16), &text).await;
    eprintln!("four answers of 1 MB in 16-byte deltas: {:?}", start.elapsed());
}

#[tokio::test]
async fn parallel_calls_keep_their_arguments_apart() {
    let arguments = [
        json!({"filePath": "src/日本.py", "limit": 10}),
        json!({}),
        json!({"a": {"b": [1, null, "x\n\"y"]}}),
    ];
    let calls = || ["read", "list", "grep"].into_iter().zip(arguments.clone());
    for wire in Wire::ALL {
        let turns = [
            Turn::calls(calls()).saying("Looking."),
            Turn::calls(calls()).saying("Looking.").in_deltas_of(1).in_writes_of(7),
            Turn::calls(calls()).saying("Looking.").with_whole_arguments(),
            Turn::calls(calls()).saying("Looking.").without_ids(),
            Turn::calls(calls()).saying("Looking.").without_index(),
            Turn::calls(calls()).saying("Looking.").stopping(match wire {
                Wire::OpenAi => "stop",
                Wire::Anthropic => "end_turn",
                Wire::Responses => "completed",
                Wire::Gemini => "STOP",
            }),
        ];
        for turn in turns {
            let (deltas, error) = play(wire, turn).await;
            assert_eq!(error, None);
            let mut assembly = Assembly::default();
            let ended: Vec<_> = deltas.iter().filter_map(|delta| assembly.push(delta)).collect();
            assert_eq!(assembly.stop, Some(Stop::ToolUse), "{wire:?}");
            let message = assembly.message();
            assert_eq!(message.text(), "Looking.");
            assert_eq!(message.calls().cloned().collect::<Vec<_>>(), ended, "{wire:?}: each call ends once");
            let names: Vec<&str> = ended.iter().map(|call| call.name.as_str()).collect();
            assert_eq!(names, ["read", "list", "grep"], "{wire:?}");
            for (call, expected) in ended.iter().zip(&arguments) {
                assert!(!call.id.is_empty());
                let read: Value = serde_json::from_str(&call.arguments).unwrap();
                assert_eq!(&read, expected, "{wire:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_call_can_be_planned_while_the_next_still_streams() {
    for wire in Wire::ALL {
        let turn = Turn::calls([("read", json!({"filePath": "a"})), ("read", json!({"filePath": "b"}))]);
        let (deltas, _) = play(wire, turn).await;
        let at = |wanted: fn(&Delta) -> bool| deltas.iter().position(wanted).unwrap();
        let first_end = at(|delta| matches!(delta, Delta::CallEnd { index: 0 }));
        let second_arguments = at(|delta| matches!(delta, Delta::CallArguments { index: 1, .. }));
        assert!(first_end < second_arguments, "{wire:?}: {deltas:?}");
    }
}

#[tokio::test]
async fn two_megabytes_of_arguments_arrive_whole() {
    let content = "a line of a file to write\n".repeat(80_000);
    let arguments = json!({"filePath": "big.txt", "content": content});
    let start = Instant::now();
    for wire in Wire::ALL {
        let turn = Turn::call("write", arguments.clone()).in_deltas_of(512);
        let assembly = answer(wire, turn).await;
        let message = assembly.message();
        let call = message.calls().next().unwrap();
        assert!(call.arguments.len() > 2_000_000);
        assert_eq!(serde_json::from_str::<Value>(&call.arguments).unwrap(), arguments, "{wire:?}");
    }
    // Looking at all arguments again with every fragment took half a minute.
    assert!(start.elapsed() < Duration::from_secs(15), "{:?}", start.elapsed());
}

#[tokio::test]
async fn reasoning_is_carried_back_as_it_came() {
    for wire in Wire::ALL {
        let first = Turn::call("read", json!({"filePath": "a"}))
            .thinking("First I look 🔎 at a.", "c2lnbmF0dXJl==")
            .redacted("c2VhbGVk");
        let server = ModelServer::start(wire, vec![first, Turn::text("Done.")]).await;
        let model = open(wire, &server.base_url(), Duration::from_secs(5));
        let mut messages = vec![Message::user("go")];
        let (deltas, error) = ask(model.as_ref(), &messages).await;
        assert_eq!(error, None);
        let shown: String = deltas
            .iter()
            .filter_map(|delta| match delta {
                Delta::Reasoning(text) => Some(text.as_str()),
                _ => None,
            })
            .collect();
        assert_eq!(shown, "First I look 🔎 at a.", "{wire:?}");
        let message = assemble(&deltas).message();
        let call = message.calls().next().unwrap().clone();
        messages.push(message);
        let result = ToolResult {
            call_id: call.id,
            name: call.name,
            text: "x = 1".into(),
            is_error: false,
            images: Vec::new(),
        };
        messages.push(Message { role: Role::User, parts: vec![Part::Result(result)] });
        let (_, error) = ask(model.as_ref(), &messages).await;
        assert_eq!(error, None);
        let sent = server.received()[1].json();
        match wire {
            Wire::OpenAi => {
                let message = &sent["messages"][2];
                assert_eq!(message["reasoning_content"], "First I look 🔎 at a.");
                assert_eq!(message["content"], Value::Null);
                assert_eq!(message["tool_calls"][0]["function"]["arguments"], "{\"filePath\":\"a\"}");
                assert_eq!(sent["messages"][3]["role"], "tool");
                assert_eq!(sent["messages"][3]["tool_call_id"], message["tool_calls"][0]["id"]);
                assert_eq!(sent["messages"][3]["content"], "x = 1");
            }
            Wire::Anthropic => {
                let blocks = &sent["messages"][1]["content"];
                assert_eq!(blocks[0], json!({"type": "redacted_thinking", "data": "c2VhbGVk"}));
                let thinking = json!({"type": "thinking", "thinking": "First I look 🔎 at a.",
                    "signature": "c2lnbmF0dXJl=="});
                assert_eq!(blocks[1], thinking);
                assert_eq!(blocks[2]["input"], json!({"filePath": "a"}));
                assert_eq!(sent["messages"][2]["content"][0]["type"], "tool_result");
                assert_eq!(sent["messages"][2]["content"][0]["tool_use_id"], blocks[2]["id"]);
            }
            Wire::Responses => {
                assert_eq!(
                    (&sent["store"], &sent["include"][0]),
                    (&json!(false), &json!("reasoning.encrypted_content"))
                );
                let items = &sent["input"];
                let sealed = json!({"type": "reasoning", "id": "rs_0", "summary": [], "encrypted_content": "c2VhbGVk"});
                assert_eq!(items[1], sealed);
                let thinking = json!({"type": "reasoning", "id": "rs_1", "encrypted_content": "c2lnbmF0dXJl==",
                    "summary": [{"type": "summary_text", "text": "First I look 🔎 at a."}]});
                assert_eq!(items[2], thinking);
                assert_eq!(items[3]["arguments"], "{\"filePath\":\"a\"}");
                let result = json!({"type": "function_call_output", "call_id": items[3]["call_id"], "output": "x = 1"});
                assert_eq!(items[4], result);
            }
            Wire::Gemini => {
                let parts = &sent["contents"][1]["parts"];
                assert_eq!(parts.as_array().unwrap().len(), 1, "thoughts stay here: {parts}");
                assert_eq!(parts[0]["thoughtSignature"], "c2lnbmF0dXJl==");
                assert_eq!(parts[0]["functionCall"]["args"], json!({"filePath": "a"}));
                let answer = &sent["contents"][2]["parts"][0]["functionResponse"];
                assert_eq!(answer["id"], parts[0]["functionCall"]["id"]);
                assert_eq!(answer["response"], json!({"output": "x = 1"}));
            }
        }
    }
}

#[tokio::test]
async fn usage_tells_cached_tokens_apart() {
    let tokens = Tokens { input: 120, cached: 4000, cache_write: 30, output: 77, reasoning: 21 };
    for wire in Wire::ALL {
        let assembly = answer(wire, Turn::text("ok").tokens(tokens)).await;
        let (cache_write, reasoning) = if wire == Wire::Anthropic { (30, 0) } else { (0, 21) };
        let expected = Usage { input: 120, cached: 4000, cache_write, output: 77, reasoning };
        assert_eq!(assembly.usage, expected, "{wire:?}");
    }
}

#[tokio::test]
async fn stop_reasons_mean_the_same_on_every_wire() {
    let check = async |wire, reason: &str, expected: Stop| {
        let assembly = answer(wire, Turn::text("so far").stopping(reason)).await;
        assert_eq!(assembly.stop, Some(expected), "{wire:?} {reason}");
        assert_eq!(assembly.message().text(), "so far", "{wire:?} {reason}: what was said is kept");
    };
    check(Wire::OpenAi, "stop", Stop::End).await;
    check(Wire::OpenAi, "length", Stop::MaxTokens).await;
    check(Wire::OpenAi, "tool_calls", Stop::End).await;
    check(Wire::OpenAi, "brand_new", Stop::End).await;
    let filtered = Stop::Refusal("the provider's content filter stopped the answer".into());
    check(Wire::OpenAi, "content_filter", filtered.clone()).await;
    check(Wire::Responses, "completed", Stop::End).await;
    check(Wire::Responses, "max_output_tokens", Stop::MaxTokens).await;
    check(Wire::Responses, "content_filter", filtered).await;
    check(Wire::Gemini, "STOP", Stop::End).await;
    check(Wire::Gemini, "MAX_TOKENS", Stop::MaxTokens).await;
    check(Wire::Gemini, "BRAND_NEW", Stop::End).await;
    for reason in ["SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII"] {
        let refused = Stop::Refusal(format!("the provider stopped the answer: {reason}"));
        check(Wire::Gemini, reason, refused).await;
    }
    check(Wire::Anthropic, "end_turn", Stop::End).await;
    check(Wire::Anthropic, "stop_sequence", Stop::End).await;
    check(Wire::Anthropic, "pause_turn", Stop::End).await;
    check(Wire::Anthropic, "max_tokens", Stop::MaxTokens).await;
    check(Wire::Anthropic, "refusal", Stop::Refusal("the provider gave no reason".into())).await;
    let (deltas, error) =
        play(Wire::Anthropic, Turn::text("a").stopping("model_context_window_exceeded")).await;
    assert_eq!(assemble(&deltas).message().text(), "a");
    assert!(matches!(error, Some(ModelError::Overflow(_))), "{error:?}");
    let (_, error) = play(Wire::Responses, Turn::text("a").stopping("failed")).await;
    assert!(matches!(error, Some(ModelError::Busy { status: 500, .. })), "{error:?}");
    let (_, error) = play(Wire::Gemini, Turn::text("a").stopping("MALFORMED_FUNCTION_CALL")).await;
    assert!(matches!(error, Some(ModelError::Cut(_))), "{error:?}");
    let (_, error) = play(Wire::OpenAi, Turn::text("a").stopping("error")).await;
    assert!(matches!(error, Some(ModelError::Busy { status: 503, .. })), "{error:?}");
}

#[tokio::test]
async fn a_refusal_is_an_outcome_not_an_error() {
    for wire in Wire::ALL {
        let refused = Some(Stop::Refusal("I cannot help with that.".into()));
        let assembly = answer(wire, Turn::refusal("I cannot help with that.")).await;
        assert_eq!(assembly.stop, refused, "{wire:?}");
        let fault = Fault::error(400, "content_filter", "I cannot help with that.");
        let assembly = answer(wire, Turn::text("x").always(fault)).await;
        assert_eq!(assembly.stop, refused, "{wire:?} as an HTTP error");
    }
}

#[tokio::test]
async fn a_call_cut_by_the_output_limit_never_looks_whole() {
    for wire in Wire::ALL {
        let turn = Turn::call("bash", json!({"command": "rm -rf build"})).stopping(wire.cut_short());
        let (deltas, error) = play(wire, turn.fault(Fault::BrokenArguments)).await;
        assert_eq!(error, None);
        let assembly = assemble(&deltas);
        assert_eq!(assembly.stop, Some(Stop::MaxTokens), "{wire:?}");
        let message = assembly.message();
        let call = message.calls().next().unwrap();
        assert!(serde_json::from_str::<Value>(&call.arguments).is_err(), "{:?}", call.arguments);
    }
}

#[tokio::test]
async fn broken_arguments_are_handed_on_as_they_are_and_sent_back_readable() {
    for wire in Wire::ALL {
        let turn = Turn::call("read", json!({"filePath": "a"})).fault(Fault::BrokenArguments);
        let server = ModelServer::start(wire, vec![turn, Turn::text("sorry")]).await;
        let model = open(wire, &server.base_url(), Duration::from_secs(5));
        let (deltas, error) = ask(model.as_ref(), &[Message::user("go")]).await;
        assert_eq!(error, None);
        assert!(deltas.contains(&Delta::CallEnd { index: 0 }), "{wire:?}");
        let message = assemble(&deltas).message();
        let call = message.calls().next().unwrap().clone();
        assert_eq!(call.arguments, "{\"filePath\":\"", "{wire:?}");
        let (_, error) = ask(model.as_ref(), &[Message::user("go"), message, Message::user("again")]).await;
        assert_eq!(error, None);
        let sent = server.received()[1].json();
        let back = match wire {
            Wire::OpenAi => {
                let text = sent["messages"][2]["tool_calls"][0]["function"]["arguments"].as_str().unwrap();
                serde_json::from_str(text).unwrap()
            }
            Wire::Anthropic => sent["messages"][1]["content"][0]["input"].clone(),
            Wire::Responses => serde_json::from_str(sent["input"][1]["arguments"].as_str().unwrap()).unwrap(),
            Wire::Gemini => sent["contents"][1]["parts"][0]["functionCall"]["args"].clone(),
        };
        assert_eq!(back, json!({"invalid_arguments": "{\"filePath\":\""}), "{wire:?}");
    }
}

/// What a fault must become; the text is the start of the error's debug form.
async fn fails(fault: Fault, expected: &str) {
    for wire in Wire::ALL {
        let turn = Turn::text("a rather long answer in several deltas").always(fault.clone());
        let (_, error) = play(wire, turn).await;
        let got = format!("{:?}", error.as_ref().expect("an error"));
        assert!(got.starts_with(expected), "{wire:?} {fault:?}: {got}");
        if let Some(ModelError::Unreachable { host, .. } | ModelError::Protocol { host, .. }) = error {
            assert!(host.starts_with("127.0.0.1:"), "{host}");
        }
    }
}

#[tokio::test]
async fn every_status_becomes_its_error() {
    for status in [408, 429, 500, 502, 503, 504, 529] {
        let expected =
            format!("Busy {{ status: {status}, reason: \"something went wrong\", retry_after: None");
        fails(Fault::status(status), &expected).await;
    }
    for status in [400, 404, 405, 422] {
        let expected = format!("Rejected {{ status: {status}, reason: \"something went wrong\"");
        fails(Fault::status(status), &expected).await;
    }
    fails(Fault::status(401), "Auth(\"something went wrong\")").await;
    fails(Fault::status(403), "Auth(\"something went wrong\")").await;
    fails(Fault::status(402), "Quota").await;
    fails(Fault::error(429, "insufficient_quota", "You exceeded your current quota"), "Quota").await;
    fails(Fault::error(400, "invalid_request_error", "Your credit balance is too low"), "Quota").await;
    fails(Fault::error(400, "context_length_exceeded", "too long"), "Overflow(\"too long\")").await;
    fails(Fault::error(400, "invalid_request_error", "prompt is too long: 9 > 8"), "Overflow").await;
    fails(Fault::status(413), "Overflow").await;
}

#[tokio::test]
async fn retry_after_is_read_in_every_form() {
    let asks = |name: &str, value: &str| Fault::status(429).with_header(name, value);
    let busy = |wait: &str| {
        format!("Busy {{ status: 429, reason: \"something went wrong\", retry_after: Some({wait})")
    };
    fails(asks("retry-after", "7"), &busy("7s")).await;
    fails(asks("retry-after-ms", "250"), &busy("250ms")).await;
    let date = asks("retry-after", "Thu, 01 Jan 2026 00:00:09 GMT")
        .with_header("date", "Thu, 01 Jan 2026 00:00:00 GMT");
    fails(date, &busy("9s")).await;
}

#[tokio::test]
async fn transport_faults_become_their_errors() {
    fails(Fault::ResetAtOnce, "Unreachable").await;
    fails(Fault::StallAtOnce, "Cut(\"not a byte for 0.4 s\")").await;
    fails(Fault::Reset, "Cut(").await;
    fails(Fault::Stall, "Cut(\"not a byte for 0.4 s\")").await;
    fails(Fault::CleanEnd, "Cut(\"the stream ended before the answer did\")").await;
    fails(Fault::HalfEvent, "Cut(\"the stream ended before the answer did\")").await;
    fails(Fault::NoEvents, "Cut(\"the stream ended before the answer did\")").await;
    fails(Fault::Empty, "Cut(\"the answer is empty\")").await;
}

#[tokio::test]
async fn an_answer_that_never_ends_is_ended() {
    fails(Fault::Murmur, "Cut(\"nothing but keep-alives for 2.4 s\")").await;
    let begun = Instant::now();
    fails(Fault::Flood, "Protocol").await;
    eprintln!("four floods: {:?}", begun.elapsed());
}

#[tokio::test]
async fn what_is_no_answer_is_a_protocol_error() {
    let protocol = |reason: &str| reason.to_owned();
    fails(Fault::Html, &protocol("Protocol")).await;
    fails(Fault::Json("{\"id\": 1}".into()), "Protocol").await;
    fails(
        Fault::Json("{\"error\":{\"type\":\"overloaded_error\",\"message\":\"m\"}}".into()),
        "Busy { status: 529",
    )
    .await;
    fails(Fault::BrokenEvent, "Protocol").await;
    fails(Fault::GiganticLine(17 * 1024 * 1024), "Protocol").await;
    fails(Fault::Redirect("https://elsewhere.example/".into()), "Protocol").await;
}

#[tokio::test]
async fn an_error_in_the_middle_of_an_answer_keeps_its_kind() {
    let event = |code: &str, message: &str| Fault::ErrorEvent(code.into(), message.into());
    fails(event("overloaded_error", "Overloaded"), "Busy { status: 529, reason: \"Overloaded\"").await;
    fails(event("rate_limit_error", "slow"), "Busy { status: 429, reason: \"slow\"").await;
    fails(event("api_error", "oops"), "Busy { status: 500, reason: \"oops\"").await;
    fails(event("invalid_request_error", "prompt is too long"), "Overflow").await;
    fails(event("authentication_error", "bad"), "Auth").await;
}

#[tokio::test]
async fn what_was_said_before_a_fault_is_kept() {
    for wire in Wire::ALL {
        for fault in [Fault::CleanEnd, Fault::Reset, Fault::HalfEvent] {
            let text = "a rather long answer in several deltas";
            let (deltas, error) = play(wire, Turn::text(text).in_deltas_of(4).always(fault)).await;
            assert!(matches!(error, Some(ModelError::Cut(_))), "{error:?}");
            let said = assemble(&deltas).message().text();
            assert!(!said.is_empty() && text.starts_with(&said), "{wire:?}: {said:?}");
        }
    }
}

#[tokio::test]
async fn an_error_never_holds_the_key() {
    for wire in Wire::ALL {
        for status in [400, 401, 403, 429, 500] {
            let server = ModelServer::start(wire, vec![Turn::text("x").always(Fault::EchoKey(status))]).await;
            let model = open(wire, &server.base_url(), Duration::from_secs(5));
            let (_, error) = ask(model.as_ref(), &[Message::user("go")]).await;
            let error = error.unwrap();
            let shown = format!("{error} {error:?}");
            assert!(shown.contains("bad key") && shown.contains("[redacted:key]"), "{shown}");
            assert!(!shown.contains("canary") && !shown.contains(KEY), "{shown}");
            let received = &server.received()[0];
            let (header, expected) = match wire {
                Wire::OpenAi | Wire::Responses => ("authorization", format!("Bearer {KEY}")),
                Wire::Anthropic => ("x-api-key", KEY.to_owned()),
                Wire::Gemini => ("x-goog-api-key", KEY.to_owned()),
            };
            let sent = received.header(header);
            assert!(!received.path.contains(KEY), "never in an address");
            assert_eq!(sent, Some(expected.as_str()), "the key was really sent");
        }
    }
}

#[tokio::test]
async fn a_long_error_is_cut_to_size() {
    fails(Fault::error(400, "x", &"long ".repeat(10_000)), "Rejected").await;
    for wire in Wire::ALL {
        let turn = Turn::text("x").always(Fault::error(400, "x", &"long ".repeat(10_000)));
        let (_, error) = play(wire, turn).await;
        assert!(error.unwrap().to_string().len() < 400);
    }
}

#[tokio::test]
async fn nobody_listening_is_unreachable() {
    for wire in Wire::ALL {
        // Port 9 on loopback: bound by nobody in a test machine, refused at once.
        let model = open(wire, "http://127.0.0.1:9", Duration::from_secs(5));
        let (_, error) = ask(model.as_ref(), &[Message::user("go")]).await;
        assert!(
            matches!(&error, Some(ModelError::Unreachable { host, reason })
                if host == "127.0.0.1:9" && reason.contains("refused")),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn a_host_without_an_address_is_unreachable() {
    for wire in Wire::ALL {
        // A name that is reserved to have none.
        let model = open(wire, "http://nowhere.invalid", Duration::from_mins(1));
        let (_, error) = ask(model.as_ref(), &[Message::user("go")]).await;
        assert!(
            matches!(&error, Some(ModelError::Unreachable { host, .. }) if host == "nowhere.invalid:80"),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn a_server_without_tls_is_unreachable_over_https() {
    for wire in Wire::ALL {
        let server = ModelServer::start(wire, vec![Turn::text("x")]).await;
        let model = open(wire, &format!("https://{}", server.host()), Duration::from_secs(5));
        let (_, error) = ask(model.as_ref(), &[Message::user("go")]).await;
        assert!(matches!(error, Some(ModelError::Unreachable { .. })), "{error:?}");
        assert!(server.requests().is_empty(), "no key went out in the clear");
    }
}

/// A server that speaks TLS with a certificate nobody vouches for; tells whether a byte came through it.
fn untrusted_tls() -> (std::net::SocketAddr, std::thread::JoinHandle<bool>) {
    use std::io::Read;
    let signed = rcgen::generate_simple_self_signed(vec!["localhost".into(), "127.0.0.1".into()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(signed.signing_key.serialize_der()).unwrap();
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![signed.cert.der().clone()], key)
        .unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serving = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let connection = rustls::ServerConnection::new(std::sync::Arc::new(config)).unwrap();
        let mut stream = rustls::StreamOwned::new(connection, stream);
        matches!(stream.read(&mut [0; 1]), Ok(1))
    });
    (address, serving)
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_unreachable_and_gets_no_key() {
    for wire in Wire::ALL {
        for host in ["127.0.0.1", "localhost"] {
            let (address, serving) = untrusted_tls();
            let base = format!("https://{host}:{}", address.port());
            let model = open(wire, &base, Duration::from_secs(5));
            let (_, error) = ask(model.as_ref(), &[Message::user("go")]).await;
            assert!(
                matches!(&error, Some(ModelError::Unreachable { reason, .. })
                    if reason.to_lowercase().contains("certificate")),
                "{wire:?}: {error:?}"
            );
            assert!(!serving.join().unwrap(), "{wire:?}: not a byte went out");
        }
    }
}

#[tokio::test]
async fn a_retry_gets_the_same_turn() {
    for wire in Wire::ALL {
        let turn = Turn::text("second try").fault(Fault::status(529)).fault(Fault::Reset);
        let server = ModelServer::start(wire, vec![turn]).await;
        let model = open(wire, &server.base_url(), Duration::from_secs(5));
        let messages = [Message::user("go")];
        let (_, error) = ask(model.as_ref(), &messages).await;
        assert!(matches!(error, Some(ModelError::Busy { status: 529, .. })), "{error:?}");
        let (_, error) = ask(model.as_ref(), &messages).await;
        assert!(matches!(error, Some(ModelError::Cut(_))), "{error:?}");
        let (deltas, error) = ask(model.as_ref(), &messages).await;
        assert_eq!(error, None);
        assert_eq!(assemble(&deltas).message().text(), "second try");
        let requests = server.requests();
        assert!(requests.iter().all(|request| *request == requests[0]), "a retry repeats byte for byte");
    }
}

#[tokio::test]
async fn many_turns_share_one_connection_and_one_growing_prefix() {
    for wire in Wire::ALL {
        let mut turns: Vec<Turn> = (0..6)
            .map(|n| {
                Turn::calls([("read", json!({"filePath": format!("f{n}")})), ("read", json!({"b": 1.50}))])
                    .saying("ok")
                    .thinking("hm", "sig")
            })
            .collect();
        turns.push(Turn::text("done"));
        let server = ModelServer::start(wire, turns).await;
        let model = open(wire, &server.base_url(), Duration::from_secs(5));
        let mut messages = vec![Message::user("go")];
        for _ in 0..7 {
            let (deltas, error) = ask(model.as_ref(), &messages).await;
            assert_eq!(error, None);
            let message = assemble(&deltas).message();
            let results: Vec<Part> = message
                .calls()
                .map(|call| {
                    Part::Result(ToolResult {
                        call_id: call.id.clone(),
                        name: call.name.clone(),
                        text: String::new(),
                        is_error: true,
                        images: Vec::new(),
                    })
                })
                .collect();
            messages.push(message);
            messages.push(Message { role: Role::User, parts: results });
        }
        assert_eq!(server.connections(), 1, "{wire:?}");
        let requests = server.requests();
        assert_eq!(requests.len(), 7);
        for pair in requests.windows(2) {
            // All but the brackets that close the list of messages and the body.
            let (closing, prefix) = (&pair[0][pair[0].len() - 2..], &pair[0][..pair[0].len() - 2]);
            assert_eq!(closing, b"]}");
            assert!(pair[1].starts_with(prefix), "{wire:?}: the prefix changed");
        }
    }
}

#[tokio::test]
async fn a_connection_that_was_closed_between_turns_is_opened_again() {
    for wire in Wire::ALL {
        let server =
            ModelServer::start(wire, vec![Turn::text("one").hanging_up(), Turn::text("two").hanging_up()])
                .await;
        let model = open(wire, &server.base_url(), Duration::from_secs(5));
        let mut messages = vec![Message::user("go")];
        for expected in ["one", "two"] {
            let (deltas, error) = ask(model.as_ref(), &messages).await;
            assert_eq!(error, None);
            let message = assemble(&deltas).message();
            assert_eq!(message.text(), expected);
            messages.extend([message, Message::user("on")]);
            // As long as any tool takes.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(server.connections(), 2);
    }
}

#[tokio::test]
async fn a_kept_connection_that_dies_under_a_request_costs_no_try() {
    for wire in Wire::ALL {
        let dying = Turn::text("two").fault(Fault::ResetAtOnce);
        let dead = Turn::text("three").always(Fault::ResetAtOnce);
        let server = ModelServer::start(wire, vec![Turn::text("one"), dying, dead]).await;
        let model = open(wire, &server.base_url(), Duration::from_secs(5));
        let mut messages = vec![Message::user("go")];
        for expected in ["one", "two"] {
            let (deltas, error) = ask(model.as_ref(), &messages).await;
            assert_eq!(error, None, "{wire:?}");
            let message = assemble(&deltas).message();
            assert_eq!(message.text(), expected);
            messages.extend([message, Message::user("on")]);
        }
        let requests = server.requests();
        assert_eq!(requests.len(), 3);
        assert_eq!(requests[1], requests[2]);
        let (_, error) = ask(model.as_ref(), &messages).await;
        assert!(matches!(error, Some(ModelError::Unreachable { .. })), "{error:?}");
        assert_eq!(server.requests().len(), 5, "once, not for ever");
    }
}

#[tokio::test]
async fn requests_say_what_the_wire_wants() {
    let server = ModelServer::start(Wire::OpenAi, vec![Turn::text("a")]).await;
    let model = open(Wire::OpenAi, &server.base_url(), Duration::from_secs(5));
    ask(model.as_ref(), &[Message::user("go")]).await;
    let received = &server.received()[0];
    assert_eq!(received.path, "/v1/chat/completions");
    let sent = received.json();
    assert_eq!(sent["model"], "scripted");
    assert_eq!(sent["stream_options"], json!({"include_usage": true}));
    assert_eq!(sent["max_tokens"], 1000);
    assert_eq!(sent["messages"][0], json!({"role": "system", "content": "You are a test."}));
    assert_eq!(sent["messages"][1], json!({"role": "user", "content": "go"}));
    assert_eq!(sent["tools"][0]["function"]["name"], "read");

    let server = ModelServer::start(Wire::Anthropic, vec![Turn::text("a")]).await;
    for base in [server.base_url(), format!("{}/", server.base_url()), format!("{}/v1", server.base_url())] {
        let model = open(Wire::Anthropic, &base, Duration::from_secs(5));
        ask(model.as_ref(), &[Message::user("go")]).await;
    }
    for received in server.received() {
        assert_eq!(received.path, "/v1/messages");
        assert_eq!(received.header("anthropic-version"), Some("2023-06-01"));
        let sent = received.json();
        let mark = json!({"type": "ephemeral"});
        assert_eq!(sent["max_tokens"], 1000);
        assert_eq!(sent["cache_control"], mark);
        assert_eq!(sent["system"][0]["cache_control"], mark);
        assert_eq!(sent["tools"][0]["cache_control"], mark);
        assert_eq!(sent["tools"][0]["input_schema"]["type"], "object");
        assert_eq!(sent["messages"], json!([{"role": "user", "content": [{"type": "text", "text": "go"}]}]));
    }
}

#[tokio::test]
async fn requests_of_the_newer_wires_say_what_they_want() {
    let server = ModelServer::start(Wire::Responses, vec![Turn::text("a")]).await;
    let model = open(Wire::Responses, &server.base_url(), Duration::from_secs(5));
    ask(model.as_ref(), &[Message::user("go")]).await;
    let received = &server.received()[0];
    assert_eq!(received.path, "/v1/responses");
    let sent = received.json();
    assert_eq!((&sent["model"], &sent["max_output_tokens"]), (&json!("scripted"), &json!(1000)));
    assert_eq!(sent["instructions"], "You are a test.");
    assert_eq!(sent["tools"][0]["name"], "read");
    let user = json!({"type": "message", "role": "user", "content": [{"type": "input_text", "text": "go"}]});
    assert_eq!(sent["input"], json!([user]));

    let server = ModelServer::start(Wire::Gemini, vec![Turn::text("a")]).await;
    let model = open(Wire::Gemini, &server.base_url(), Duration::from_secs(5));
    ask(model.as_ref(), &[Message::user("go")]).await;
    let received = &server.received()[0];
    assert_eq!(received.path, "/v1beta/models/scripted:streamGenerateContent?alt=sse");
    let sent = received.json();
    assert_eq!(sent["generationConfig"]["maxOutputTokens"], 1000);
    assert_eq!(sent["systemInstruction"], json!({"parts": [{"text": "You are a test."}]}));
    assert_eq!(sent["tools"][0]["functionDeclarations"][0]["name"], "read");
    assert_eq!(sent["contents"], json!([{"role": "user", "parts": [{"text": "go"}]}]));
}

/// Google asks for a pause in the body, in words that elsewhere mean that the money is gone.
#[tokio::test]
async fn a_pause_asked_for_in_the_body_is_honoured() {
    let body = json!({"error": {"code": 429, "status": "RESOURCE_EXHAUSTED",
        "message": "You exceeded your current quota, please check your plan and billing details.",
        "details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "7.5s"}]}});
    let (_, error) = play(Wire::Gemini, Turn::text("x").always(Fault::Json(body.to_string()))).await;
    assert!(
        matches!(error, Some(ModelError::Busy { status: 429, retry_after: Some(wait), .. })
            if wait == Duration::from_millis(7500)),
        "{error:?}"
    );
    let fault = Fault::error(400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.");
    let (_, error) = play(Wire::Gemini, Turn::text("x").always(fault)).await;
    assert!(matches!(error, Some(ModelError::Auth(_))), "{error:?}");
}

#[tokio::test]
async fn a_dropped_stream_ends_the_request() {
    for wire in Wire::ALL {
        let turn = Turn::text("slow ".repeat(1000)).paced(20);
        let server = ModelServer::start(wire, vec![turn, Turn::text("next")]).await;
        let model = open(wire, &server.base_url(), Duration::from_secs(5));
        let messages = [Message::user("go")];
        let tools = [];
        let mut stream = model.stream(request(&tools, &messages));
        let start = Instant::now();
        while let Some(Ok(delta)) = stream.next().await {
            if matches!(delta, Delta::Text(_)) {
                break;
            }
        }
        drop(stream);
        assert!(start.elapsed() < Duration::from_secs(5));
        let after = [
            Message::user("go"),
            Message { role: Role::Assistant, parts: vec![Part::Text { text: "x".into() }] },
            Message::user("on"),
        ];
        let (deltas, error) = ask(model.as_ref(), &after).await;
        assert_eq!((error, assemble(&deltas).message().text()), (None, "next".to_owned()));
    }
}

/// An independent server for the three wires that such servers speak, when there is one: `AGENT_E2E_BASE_URL=http://127.0.0.1:8080`
/// (without `/v1`). Proves the wires, not the model's wit.
#[tokio::test]
async fn a_real_server_understands_its_wires() {
    let Ok(base) = std::env::var("AGENT_E2E_BASE_URL") else {
        eprintln!("SKIPPED: a_real_server_understands_its_wires needs AGENT_E2E_BASE_URL");
        return;
    };
    for wire in [Wire::Responses, Wire::Anthropic, Wire::OpenAi] {
        let base = if wire == Wire::Anthropic { base.clone() } else { format!("{base}/v1") };
        let model = open(wire, &base, Duration::from_mins(3));
        let tools = [&*SPEC];
        let say = |text: &str| vec![Message::user(text)];
        let ask = async |messages: &[Message]| {
            let request = Request { system: "", tools: &tools, messages, max_output: 60 };
            let answered: Vec<_> = model.stream(request).collect().await;
            let deltas: Vec<Delta> = answered.into_iter().map(|answered| answered.unwrap()).collect();
            assemble(&deltas)
        };
        let assembly = ask(&say("Say hello.")).await;
        assert!(assembly.usage.output > 0, "{wire:?}: {:?}", assembly.usage);
        assert!(assembly.usage.input + assembly.usage.cached > 0, "{wire:?}: {:?}", assembly.usage);
        assert!(assembly.stop.is_some());
        eprintln!("{wire:?} said {:?} ({:?})", assembly.usage, assembly.stop);

        let mut messages = say(
            "Repeat this exactly:\n<tool_call>\n{\"name\": \"read\", \"arguments\": {\"filePath\": \"src/main.rs\"}}\n</tool_call>",
        );
        let message = ask(&messages).await.message();
        let Some(call) = message.calls().next().cloned() else {
            eprintln!("{wire:?}: no tool call, so none is answered: {:?}", message.text());
            continue;
        };
        eprintln!("{wire:?} called {call:?}");
        assert!(serde_json::from_str::<Value>(&call.arguments).is_ok(), "{call:?}");
        let results = message.calls().map(|call| {
            Part::Result(ToolResult {
                call_id: call.id.clone(),
                name: call.name.clone(),
                text: "fn main() {}".into(),
                is_error: false,
                images: Vec::new(),
            })
        });
        let results = Message { role: Role::User, parts: results.collect() };
        messages.extend([message, results]);
        let assembly = ask(&messages).await;
        eprintln!("{wire:?} went on: {:?} {:?}", assembly.stop, assembly.usage);
    }
}
