//! Issues as people write them.

#[test]
fn show() {
    let source = std::fs::read_to_string(std::env::var("F").unwrap()).unwrap();
    let parsed = broadsheet::issue::parse::parse(&source);
    println!("{:#?}", parsed.issue);
    for f in parsed.findings { println!("{}:{} {} {}: {} | {}", f.at.line, f.at.column, f.severity, f.code, f.what, f.instead); }
}
