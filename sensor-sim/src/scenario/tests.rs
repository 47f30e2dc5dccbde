use super::*;

const HEAD: &str = "about = \"a\"\nexpect = [\"lost = 0\"]\n";

fn parse(text: &str) -> Result<Scenario, ScenarioError> {
    Scenario::parse("x.toml", text)
}

#[track_caller]
fn check_refused(text: &str, reason: &str) {
    let error = parse(text).unwrap_err().to_string();
    assert!(
        error.starts_with("x.toml:") && error.contains(reason),
        "{error}"
    );
}

#[test]
fn a_scenario_is_read() {
    let scenario = parse(
        "about = \"a\"\nseed = 7\nsettle = \"500ms\"\nkinds = [\"gap\"]\nexpect = [\"lost = 0\", \"sent(one) > 1\"]\n\
         [[phase]]\nname = \"one\"\nduration = \"2m\"\ndevices = 3\nprofile = [\"dht22\"]\n\
         [[phase.hook]]\nafter = \"1s\"\nrun = \"true\"\n\
         [[phase]]\nname = \"two\"\nact = \"pause\"\nduration = \"1.5s\"\n\
         [[phase]]\nname = \"three\"\nact = \"replay\"\noptions = [\"a.csv\"]\nbeside = true\n",
    )
    .unwrap();
    assert_eq!((scenario.seed, scenario.settle.as_millis()), (7, 500));
    assert_eq!(scenario.kinds, [Kind::Gap]);
    let phases = &scenario.phases;
    assert_eq!(phases[0].duration, Some(Span(Duration::from_secs(120))));
    assert_eq!(phases[0].hook[0].after, Span(Duration::from_secs(1)));
    let acts: Vec<_> = phases.iter().map(|it| it.act.clone()).collect();
    assert_eq!(
        acts,
        [Act::Publish, Act::Pause, Act::Command("replay".into())]
    );
    assert!(scenario.has_hooks() && phases[2].beside);
    assert_eq!(scenario.expectations.len(), 2);
}

#[test]
fn a_wrong_expectation_is_named_with_line_and_column() {
    let phase = "[[phase]]\nname = \"one\"\nduration = \"1s\"\n";
    let text =
        format!("about = \"a\"\nexpect = [\n    \"lost = 0\",\n    \"p99 < 50\",\n]\n{phase}");
    check_refused(&text, "x.toml:4:14: p99 is a time");
    let text = format!("about = \"a\"\nexpect = [\"lots = 0\"]\n{phase}");
    check_refused(
        &text,
        "x.toml:2:12: no metric is called \"lots\"; known are sent",
    );
}

#[test]
fn a_wrong_phase_is_named() {
    let phase = |more: &str| format!("{HEAD}[[phase]]\nname = \"one\"\n{more}\n");
    check_refused(&phase(""), "\"one\" needs a duration");
    check_refused(&phase("duration = \"1 week\""), "is no time");
    check_refused(&phase("duration = \"1\""), "is no time");
    check_refused(&phase("act = \"pause\""), "is a pause");
    check_refused(
        &phase("act = \"replay\"\ndevices = 2"),
        "is another command",
    );
    check_refused(&phase("duraton = \"1s\""), "duraton");
    check_refused(
        &phase("duration = \"1s\"\n[[phase]]\nname = \"one\"\nduration = \"1s\""),
        "that of another",
    );
}

#[test]
fn the_shipped_scenarios_are_scenarios() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        Scenario::parse(&path.display().to_string(), &text).unwrap();
        names.push(path.file_name().unwrap().to_string_lossy().into_owned());
    }
    names.sort();
    assert_eq!(names, ["acceptance.toml", "smoke.toml", "storm.toml"]);
}
