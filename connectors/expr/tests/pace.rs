//! How long a rule takes. The bound is for release builds: `cargo test --release -p connector-expr --test pace -- --nocapture`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod ward;

use std::hint::black_box;
use std::time::{Duration, Instant};

use connector_expr::{Expr, Vars};

const RULES: [&str; 20] = [
    "user.userName",
    "user.displayed == null",
    "user.name.familyName + ', ' + user.name.givenName",
    "user.active && user.clinician.kind == 'human'",
    "user.emails.primary().value",
    "lower(user.userName)",
    "lookup('jobs', user.title, 'EMP DEFAULT')",
    "coalesce(user.nickName, user.name.givenName)",
    "user.groups.exists(g, g.value == 'g-2')",
    "user.groups.map(g, g.display)",
    "'g-1' in user.groups.map(g, g.value)",
    "user.endDate > now",
    "user.endDate.date('%Y-%m-%d')",
    "pad(string(user.logins), 8, '0')",
    "slug(user.name.familyName)",
    "user.userName.matches('^t[0-9]+')",
    "e164(user.phoneNumbers.primary().value, '1')",
    "user.title in ['rn', 'md', 'pa']",
    "hash8(user.userName)",
    "user.active ? 'enabled' : 'disabled'",
];

#[test]
fn twenty_rules_over_one_person_stay_below_sixty_microseconds() {
    let env = ward::env();
    let rules: Vec<Expr> =
        RULES.iter().map(|source| Expr::compile(&source.replace("displayed", "nickName"), &env).unwrap()).collect();
    let vars = Vars::new(ward::person());
    let mut best = Duration::MAX;
    for _ in 0..50 {
        let start = Instant::now();
        for _ in 0..20 {
            for rule in &rules {
                black_box(rule.eval(black_box(&vars), ward::now()).unwrap());
            }
        }
        best = best.min(start.elapsed() / 20);
    }
    println!("20 rules over one person: {best:?}");
    let bound = Duration::from_micros(if cfg!(debug_assertions) { 3_000 } else { 60 });
    assert!(best < bound, "20 rules took {best:?}");
}
