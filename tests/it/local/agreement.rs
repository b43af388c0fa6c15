//! The pipeline's own reading of the generated statuses against their labels, which owe it nothing.

use spar::local::generator::Slice;
use spar::stream::clean;
use spar::toot::{Keywords, Status, Verdict, judge};

#[test]
fn the_pipeline_reads_every_generated_status_as_it_was_meant() {
    let keywords = Keywords::new(&[]);
    let first = Slice::after(None, 42, 20_000);
    let mut wrong = Vec::new();
    let (mut kept, mut refused) = (0, 0);
    for slice in [first, Slice::after(Some(&first), 43, 10_000)] {
        for index in 0..slice.statuses {
            let plan = slice.plan(index);
            for (edited, version) in plan.versions() {
                let made = slice.status(&plan, version, edited);
                let status: Status = serde_json::from_str(&made.json(true)).unwrap();
                let label = &made.label;
                let may = plan.visibility == "public" && plan.consents(version);
                let agrees = match judge(&status, &keywords) {
                    Verdict::Kept { text, tags } => {
                        kept += 1;
                        label.keyword
                            && may
                            && text == label.content
                            && clean(&text) == label.text
                            && tags.join(",") == label.hashtags
                    }
                    Verdict::NoKeyword => !label.keyword,
                    Verdict::Refused(_) => {
                        refused += 1;
                        label.keyword && !may
                    }
                };
                if !agrees {
                    wrong.push(format!("{:?}\nlabel {label:?}", judge(&status, &keywords)));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {kept}, for example\n{}", wrong.len(), wrong[..wrong.len().min(3)].join("\n"));
    assert!(kept > 5000 && refused > 200, "{kept} kept, {refused} refused");
}
