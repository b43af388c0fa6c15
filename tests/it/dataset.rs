use proptest::prelude::*;
use spar::sentiment::{Labelled, Layout, Sentiment, read_labelled};

fn read(bytes: impl AsRef<[u8]>) -> spar::Result<Labelled> {
    read_labelled(bytes.as_ref().to_vec(), "tweets.csv")
}

fn row(target: &str, text: &str) -> String {
    format!("\"{target}\",\"1\",\"Mon Apr 06 22:19:45 PDT 2009\",\"NO_QUERY\",\"user\",\"{text}\"\n")
}

fn texts(found: &Labelled) -> Vec<&str> {
    (0..found.corpus.len()).map(|row| found.corpus.text(row)).collect()
}

#[track_caller]
fn refused(bytes: impl AsRef<[u8]>, because: &str) {
    let error = read(bytes).expect_err("the file is wrong");
    let told = error.to_string();
    assert!(error.is_invalid() && told.contains(because) && told.contains("tweets.csv"), "{told}");
}

#[test]
fn six_quoted_columns_are_read_with_commas_quotes_and_line_breaks_in_the_text() {
    let file = row("0", "so sad, \"\"really\"\"\nvery") + &row("4", "a, b, c");
    let found = read(file).unwrap();
    assert_eq!((found.layout, found.header, found.read, found.encoding), (Layout::SixColumns, false, 2, "UTF-8"));
    assert_eq!(texts(&found), ["so sad, \"really\"\nvery", "a, b, c"]);
    assert_eq!(found.corpus.counts(), [1, 0, 1]);
}

#[test]
fn latin_1_is_told_by_the_whole_file_not_by_its_start() {
    let mut file = row("0", "plain").repeat(5_000).into_bytes();
    file.extend_from_slice(b"\"4\",\"1\",\"d\",\"q\",\"u\",\"caf\xe9 \x80\"\n");
    let found = read(file).unwrap();
    assert_eq!(found.encoding, "windows-1252");
    assert_eq!(found.corpus.text(5_000), "café €");
    let found = read(row("0", "café") + &row("4", "ok")).unwrap();
    assert_eq!((found.encoding, found.corpus.text(0)), ("UTF-8", "café"));
}

#[test]
fn copies_of_the_file_in_other_forms_are_read() {
    let header = "target,ids,date,flag,user,text\n".to_owned() + &row("0", "x") + &row("4", "y");
    let found = read(header).unwrap();
    assert_eq!((found.header, found.read), (true, 2));
    let found = read("\u{feff}text,sentiment\r\n\"a, b\",0\r\nc,4\r\nd,2").unwrap();
    assert_eq!((found.layout, found.corpus.counts()), (Layout::TwoColumns, [1, 1, 1]));
    assert_eq!(texts(&found), ["a, b", "c", "d"]);
    let found = read("0\tsay \"hi\n4\tgood").unwrap();
    assert_eq!((found.layout, texts(&found)), (Layout::Tab, vec!["say \"hi", "good"]));
}

#[test]
fn rated_tweets_become_three_classes_at_half_a_point() {
    let found = read("1\t2.7\tlove \"it\r\n2\t0.5\tmeh\r\n3\t-0.5\tmeh too\r\n4\t-0.51\tbad\r\n5\t0.51\tnice").unwrap();
    assert_eq!(found.layout, Layout::Rated);
    let labels: Vec<_> = (0..5).map(|row| found.corpus.label(row)).collect();
    use Sentiment::{Negative, Neutral, Positive};
    assert_eq!(labels, [Positive, Neutral, Neutral, Negative, Positive]);
}

#[test]
fn rows_without_text_or_label_are_left_out_and_counted() {
    let found = read(row("0", "x") + &row("", "lost") + &row("4", " ") + &row("4", "y")).unwrap();
    assert_eq!((found.read, found.incomplete, found.corpus.len()), (4, 2, 2));
}

#[test]
fn a_wrong_file_is_refused_in_plain_words() {
    refused("", "it is empty");
    refused("\n \n", "it is empty");
    refused([0x1f, 0x8b, 8, 0], "compressed");
    refused([0xff, 0xfe, b'0', 0], "UTF-16");
    refused(b"0,a\0b\n4,c\n", "null byte at offset 3");
    refused("a,b,c\n", "neither 6 nor 2 columns");
    refused(row("0", "x") + "4,short\n", "line 2 has 2 columns");
    refused(row("0", "x") + &row("1", "y"), "line 2: the label \"1\" is unknown");
    refused("text,score\nx,0\n", "names only one");
    refused(row("0", "x"), "both labels 0 and 4 are needed");
    refused("1\t2.5\tgood\n2\t-9\tbad\n", "a rating from -4 to 4");
    refused(row("0", "x") + "\"4\",\"1\",\"d\",\"q\",\"u\",\"open" + &", never closed".repeat(2_000), "never closed");
}

#[test]
fn an_error_never_repeats_a_text() {
    let told = read("good morning everyone,0\nbad,4\n").unwrap_err().to_string();
    assert!(told.contains("the label is a text") && !told.contains("morning"), "{told}");
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = read(bytes);
    }

    #[test]
    fn what_is_written_as_csv_is_read_back(texts in prop::collection::vec("[a-zé\",\n ]{1,20}x", 2..20)) {
        let quoted = |t: &String| t.replace('"', "\"\"");
        let file: String = texts.iter().enumerate().map(|(i, t)| row(["0", "4"][i % 2], &quoted(t))).collect();
        let found = read(file).unwrap();
        let wanted: Vec<_> = texts.iter().map(|t| t.trim()).collect();
        prop_assert_eq!(self::texts(&found), wanted);
    }
}
