#![allow(clippy::unwrap_used)]
use super::*;
use faulty::Flaw;

#[tokio::test(start_paused = true)]
async fn the_model_passes_every_check() {
    let report = run(&Memory::new().subject()).await;
    assert_required("memory", &report);
}

#[test]
fn every_check_has_one_connector_that_fails_it() {
    let flawed: Vec<&str> = Flaw::ALL.iter().map(|flaw| flaw.check()).collect();
    assert_eq!(flawed, names());
}

/// A quarter of the flaws, so that four tests can run side by side.
async fn quarter_fails_as_it_should(quarter: usize) {
    let mut wrong = Vec::new();
    for flaw in Flaw::ALL.iter().skip(quarter).step_by(4) {
        let begun = std::time::Instant::now();
        let report = run(&faulty::subject(*flaw)).await;
        println!("{flaw:?}: {:?}", begun.elapsed());
        if report.failed() != [flaw.check()] {
            wrong.push(format!("{flaw:?} ({}) should fail {}, but:\n{report}", flaw.lie(), flaw.check()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[tokio::test(start_paused = true)]
async fn each_flaw_of_the_first_quarter_fails_its_own_check_and_no_other() {
    quarter_fails_as_it_should(0).await;
}

#[tokio::test(start_paused = true)]
async fn each_flaw_of_the_second_quarter_fails_its_own_check_and_no_other() {
    quarter_fails_as_it_should(1).await;
}

#[tokio::test(start_paused = true)]
async fn each_flaw_of_the_third_quarter_fails_its_own_check_and_no_other() {
    quarter_fails_as_it_should(2).await;
}

#[tokio::test(start_paused = true)]
async fn each_flaw_of_the_last_quarter_fails_its_own_check_and_no_other() {
    quarter_fails_as_it_should(3).await;
}
