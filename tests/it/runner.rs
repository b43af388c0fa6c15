use serde_json::json;
use spar::runner::{Ended, Situation, failure, plan};

const FRESH: Situation = Situation { local: true, has_token: false };
const READY: Situation = Situation { local: true, has_token: true };
const REAL: Situation = Situation { local: false, has_token: true };

#[test]
fn without_names_all_seven_run_in_order() {
    let all = plan::<&str>(&[], READY).unwrap();
    assert_eq!(all, ["create_app", "jeton_access", "partie1", "partie2", "partie3", "partie4", "partie5"]);
}

#[test]
fn names_run_in_the_projects_order_whatever_the_order_they_are_given_in() {
    assert_eq!(plan(&["partie5", "partie3.ipynb"], READY).unwrap(), ["partie3", "partie5"]);
}

#[test]
fn the_first_part_brings_its_token_only_when_there_is_none() {
    assert_eq!(plan(&["partie1"], FRESH).unwrap(), ["create_app", "jeton_access", "partie1"]);
    assert_eq!(plan(&["partie1"], READY).unwrap(), ["partie1"]);
}

#[test]
fn a_real_instance_never_sees_an_unattended_registration() {
    assert_eq!(plan::<&str>(&[], REAL).unwrap(), ["partie1", "partie2", "partie3", "partie4", "partie5"]);
    let refused = plan(&["create_app"], REAL).unwrap_err().to_string();
    assert!(refused.contains("./spar lab"), "{refused}");
}

#[test]
fn an_unknown_name_is_told_with_those_that_exist() {
    let error = plan(&["partie9"], READY).unwrap_err();
    assert!(error.is_invalid() && error.to_string().contains("partie5"), "{error}");
}

#[test]
fn a_result_and_words_on_stdout_are_no_failure() {
    let outputs = json!([
        {"output_type": "stream", "name": "stdout", "text": "error: not really\n"},
        {"output_type": "execute_result", "data": {"text/plain": "2"}},
    ]);
    assert_eq!(failure(Ended::Complete, &outputs), None);
    assert_eq!(failure(Ended::Complete, &json!([])), None);
}

#[test]
fn words_on_stderr_fail_the_cell_without_their_backtrace_and_colours() {
    let text =
        "\n\u{1b}[31mthread panicked\u{1b}[0m at src/lib.rs:1:1:\nboum\nstack backtrace:\n   0: rust_begin_unwind\n";
    let outputs = json!([{"output_type": "stream", "name": "stderr", "text": text}]);
    assert_eq!(failure(Ended::Complete, &outputs).unwrap(), "thread panicked at src/lib.rs:1:1:\nboum");
    let in_lines = json!([{"output_type": "stream", "name": "stderr", "text": ["one\n", "two\n"]}]);
    assert_eq!(failure(Ended::Complete, &in_lines).unwrap(), "one\ntwo");
}

#[test]
fn an_error_output_fails_the_cell_with_its_trace_or_its_value() {
    let trace =
        json!([{"output_type": "error", "evalue": "v", "traceback": ["\u{1b}[31m[E0308]\u{1b}[0m mismatched types"]}]);
    assert_eq!(failure(Ended::Complete, &trace).unwrap(), "[E0308] mismatched types");
    let bare = json!([{"output_type": "error", "evalue": "v", "traceback": []}]);
    assert_eq!(failure(Ended::Complete, &bare).unwrap(), "v");
}

#[test]
fn a_dead_kernel_and_a_hanging_cell_fail_even_in_silence() {
    assert!(failure(Ended::Gone, &json!([])).unwrap().contains("died"));
    assert!(failure(Ended::TooLong, &json!([])).unwrap().contains("time"));
}

#[test]
fn an_option_of_jupyterlab_that_the_user_sets_is_given_once() {
    let given = ["--ServerApp.ip=0.0.0.0", "--ServerApp.open_browser=False"].map(str::to_owned);
    let options = spar::runner::lab_options(std::path::Path::new("/some where"), &given);
    for name in ["--ServerApp.ip=", "--ServerApp.open_browser=", "--ServerApp.root_dir="] {
        assert_eq!(options.iter().filter(|o| o.starts_with(name)).count(), 1, "{options:?}");
    }
    assert!(options.ends_with(&given), "{options:?}");
}
