//! Plugins that do harm, spoken by hand: no SDK keeps them from it.

use serde_json::{Value as Json, json};
use std::{
    io::{self, BufRead, Write},
    process::ExitCode,
    thread,
    time::Duration,
};

/// Says one message.
fn say(message: &Json) {
    raw(format!("{message}\n").as_bytes());
}

fn raw(octets: &[u8]) {
    let mut out = io::stdout().lock();
    // Cut off: what the gateway is meant to do.
    if out.write_all(octets).and_then(|()| out.flush()).is_err() {
        std::process::exit(0);
    }
}

fn heard(input: &mut impl BufRead) -> Option<Json> {
    let mut line = String::new();
    input.read_line(&mut line).ok()?;
    serde_json::from_str(&line).ok()
}

fn answer(id: &Json, result: &Json) {
    say(&json!({"jsonrpc": "2.0", "id": id, "result": result}));
}

fn record(id: &Json) -> Json {
    json!({"kind": "account", "id": id, "state": "enabled", "attrs": {"login": [id]}})
}

/// An honest plugin of one kind, but for the one thing that `harm` names.
pub fn run(harm: &str) -> ExitCode {
    if harm == "crash at once" {
        return ExitCode::from(3);
    }
    if harm == "noisy" {
        for number in 0..100_000 {
            eprintln!("noise {number} {}", "x".repeat(200));
        }
    }
    let mut held: Vec<(Json, Json)> = Vec::new();
    let mut input = io::stdin().lock();
    while let Some(message) = heard(&mut input) {
        let (id, method, params) = (&message["id"], message["method"].as_str().unwrap_or_default(), &message["params"]);
        match method {
            "initialize" => answer(
                id,
                &json!({"spi": [1, 0], "name": "hostile", "version": "1", "configSchema": {"type": "object"},
                    "features": ["list", "batch", "haunted"]}),
            ),
            "open" | "shutdown" | "ping" if harm != "deaf to pings" || method != "ping" => answer(id, &json!({})),
            "ping" => {}
            "cancel" if harm == "answers late" => answer(&params["id"], &Json::Null),
            "cancel" => {}
            "schema" => answer(
                id,
                &json!({"revision": "1", "kinds": {"account": {"role": "account", "attrs": {}, "naturalKeys": [],
                    "caps": {"list": true, "sync": true, "effective": true, "maxBatch": 10}}}}),
            ),
            _ => harmful(harm, method, id, params, &mut held, &mut input),
        }
        if harm == "ends after a call" && method == "get" {
            return ExitCode::from(7);
        }
    }
    ExitCode::SUCCESS
}

fn harmful(harm: &str, method: &str, id: &Json, params: &Json, held: &mut Vec<(Json, Json)>, input: &mut impl BufRead) {
    let about = &params["id"];
    match harm {
        "hangs" | "answers late" if about == "slow" || method == "create" => {}
        "floods" => loop {
            say(&json!({"method": "host.event", "params": {"level": "info", "message": "x".repeat(1_000)}}));
        },
        "floods with requests" => {
            for number in 0.. {
                say(
                    &json!({"id": number, "method": "host.http", "params": {"method": "GET", "url": "https://a.example",
                    "timeoutMs": 60_000, "maxBody": 10}}),
                );
            }
        }
        "out of order" => {
            held.push((id.clone(), about.clone()));
            if held.len() == 8 {
                held.drain(..).rev().for_each(|(id, about)| answer(&id, &record(&about)));
            }
        }
        "answers twice" => {
            answer(id, &record(about));
            answer(id, &record(about));
        }
        "answers nobody" => answer(&json!(9_999), &record(about)),
        "mixes up calls" => {
            held.push((id.clone(), about.clone()));
            if held.len() == 2 {
                let (second, first) = (held.pop().unwrap(), held.pop().unwrap());
                answer(&first.0, &record(&second.1));
                answer(&second.0, &record(&first.1));
            }
        }
        "another account" => match method {
            "find" => answer(id, &json!([record(&json!("someone-else"))])),
            "create" => answer(id, &json!({"id": "1", "record": record(&json!("2"))})),
            "apply" => answer(id, &json!([{"ok": {"created": {"id": "1"}}}])),
            "list" => answer(id, &json!({"items": [record(&json!("1")), record(&json!("2"))], "complete": true})),
            _ => answer(id, &record(&json!("someone-else"))),
        },
        "5 MiB" => {
            raw(&vec![b'x'; 5 << 20]);
            raw(b"\n");
        }
        "broken text" => raw(b"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":\"\xff\xfe\"}\n"),
        "leaks memory" => {
            let mut leak: Vec<Vec<u8>> = Vec::new();
            loop {
                leak.push(vec![1; 1 << 20]);
            }
        }
        "opens files" => {
            let mut open = Vec::new();
            while let Ok(file) = std::fs::File::open("/dev/null") {
                open.push(file);
            }
            answer(id, &json!({"server": open.len().to_string()}));
        }
        "burns time" => loop {
            std::hint::spin_loop();
        },
        "starts without end" => {
            // Ends with the group; until then nobody else's place in the machine is taken.
            let started: Vec<_> =
                (0..200).filter_map(|_| std::process::Command::new("/bin/sleep").arg("600").spawn().ok()).collect();
            thread::sleep(Duration::from_secs(600));
            drop(started);
        }
        "dies mid-write" if method == "create" => std::process::exit(9),
        "asks for any secret" => {
            say(&json!({"id": 1, "method": "host.secret", "params": {"reference": {"file": "/etc/shadow"}}}));
            let told = heard(input).unwrap();
            say(&json!({"id": id, "error": {"code": -32_000, "message": "", "data": told["error"]["data"]}}));
        }
        "tells a secret" => {
            say(&json!({"id": 1, "method": "host.secret", "params": {"reference": {"env": "TOKEN"}}}));
            let told = heard(input).unwrap();
            let secret = told["result"]["secret"].as_str().unwrap();
            eprintln!("the token is {secret}");
            let error = json!({"class": "Transient", "message": format!("with {secret}"), "effect": "none"});
            say(&json!({"id": id, "error": {"code": -32_000, "message": "", "data": error}}));
        }
        "shows its environment" => {
            let shown: Vec<String> = std::env::vars_os().map(|(name, _)| name.to_string_lossy().into_owned()).collect();
            answer(id, &json!({"server": shown.join(" ")}));
        }
        "an odd error" => say(&json!({"id": id, "error": {"code": -5, "message": "odd", "data": [1]}})),
        "starts a child" => {
            #[allow(clippy::zombie_processes)] // Left behind: what the gateway must clear away.
            let child = std::process::Command::new("/bin/sleep").arg("600").spawn().unwrap();
            answer(id, &json!({"server": child.id().to_string()}));
        }
        _ => {
            thread::sleep(Duration::from_millis(1));
            answer(id, &record(about));
        }
    }
}
