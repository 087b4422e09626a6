//! Relays that do anything: whatever they say, what we hold for sent was kept, and what was kept is sent or in doubt.

use std::collections::BTreeSet;

use broadsheet::delivery::outcome::{Outcome, classify};
use broadsheet::smtp::client::{Handover, Target, Window, connect};
use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop, prop_oneof, proptest};

use crate::postbox::{Act, Postbox, Script};
use crate::wire::{BODY, FROM, SHORT, target};
use crate::wire_carry::Load;

const MESSAGES: usize = 6;

/// One answer to one command: right, wrong, at the wrong time, or none.
fn act() -> impl Strategy<Value = Act> {
    let code = prop_oneof![200_u16..600, Just(250_u16), Just(354), Just(421), Just(450), Just(550)];
    let line = (code, "[ -~]{0,20}").prop_map(|(code, text)| format!("{code} {text}\r\n").into_bytes());
    prop_oneof![
        4 => line.clone().prop_map(Act::Raw),
        1 => line.prop_map(Act::Last),
        1 => prop::collection::vec(any::<u8>(), 1..40).prop_map(Act::Last),
        1 => Just(Act::Close),
    ]
}

fn script(offers: Vec<&'static [&'static str]>) -> impl Strategy<Value = Script> {
    let at = prop::sample::select(vec!["CONNECT", "EHLO", "MAIL", "RCPT", "DATA", ".", "RSET"]);
    // In the middle of a text it may only hang up: one that says 250 there and then loses the message is lying, and
    // nobody could tell.
    let at_text = (Just("TEXT"), 0_usize..MESSAGES, 1_usize..3, Just(Act::Close));
    let cue = prop_oneof![6 => (at, 0_usize..MESSAGES, 1_usize..3, act()), 1 => at_text];
    (prop::sample::select(offers), prop::collection::vec(cue, 1..5)).prop_map(|(offers, cues)| {
        let script = Script::new().offering(offers);
        cues.into_iter().fold(script, |script, (at, skip, times, act)| script.on_some(at, skip, times, act))
    })
}

/// Sends [`MESSAGES`] messages, each once, and gives those held for sent and those in doubt.
async fn send_all(postbox: &Postbox) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut sent, mut doubt) = (BTreeSet::new(), BTreeSet::new());
    let mut open = None;
    for n in 0..MESSAGES {
        let connection = match open.take() {
            Some(connection) => connection,
            None => match connect(&target(postbox)).await {
                Ok(connection) => connection,
                Err(answer) => {
                    assert!(matches!(classify(&answer), Outcome::Ours { .. }), "{answer:?}");
                    continue;
                }
            },
        };
        let reader = format!("r{n}@example.com");
        let (handover, clean) = connection.send(FROM, &reader, BODY, || true).await;
        open = clean;
        if let Handover::Answered(answer) = handover {
            match classify(&answer) {
                Outcome::Sent => drop(sent.insert(reader)),
                Outcome::InDoubt { .. } => drop(doubt.insert(reader)),
                _ => {}
            }
        }
    }
    (sent, doubt)
}

/// Carries [`MESSAGES`] messages, each until it has an answer, over as many connections as that takes.
async fn carry_all(postbox: &Postbox, window: u32) -> (BTreeSet<String>, BTreeSet<String>) {
    let mut target = Target { window: Window::Fixed(window), ..target(postbox) };
    target.timeouts.quit = SHORT;
    let mut load = Load::of(MESSAGES).again();
    // Each connection ends at a cue of the script, or carries all; a relay that never lets us in is left alone.
    for _ in 0..4 * MESSAGES {
        let Ok(connection) = connect(&target).await else { continue };
        if let Some(connection) = connection.carry(&mut load).await {
            connection.quit().await;
            break;
        }
    }
    let (mut sent, mut doubt) = (BTreeSet::new(), BTreeSet::new());
    for (name, handover) in load.ended {
        let Handover::Answered(answer) = handover else { continue };
        match classify(&answer) {
            Outcome::Sent => drop(sent.insert(format!("{name}@example.com"))),
            Outcome::InDoubt { .. } => drop(doubt.insert(format!("{name}@example.com"))),
            _ => {}
        }
    }
    (sent, doubt)
}

/// What was kept was kept once, what is held for sent was kept, what was kept is sent or in doubt.
fn hold(postbox: &Postbox, sent: &BTreeSet<String>, doubt: &BTreeSet<String>) {
    let kept: Vec<String> = postbox.mails().into_iter().flat_map(|mail| mail.rcpt_to).collect();
    let readers: BTreeSet<String> = kept.iter().cloned().collect();
    assert_eq!(readers.len(), kept.len(), "no reader twice");
    assert!(sent.is_subset(&readers), "held for sent: {sent:?}, kept: {readers:?}");
    for reader in &readers {
        assert!(sent.contains(reader) || doubt.contains(reader), "{reader} has it and will get it again");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn nothing_is_lost_and_nothing_is_doubled_whatever_the_relay_says(
            script in script(vec![&[], &["PIPELINING"]])
        ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let postbox = Postbox::start(script).await;
            let (sent, doubt) = send_all(&postbox).await;
            hold(&postbox, &sent, &doubt);
        });
    }

    #[test]
    fn the_same_holds_for_whole_loads_in_every_mode(
        window in 1_u32..5, script in script(vec![&["PIPELINING"], &["PIPELINING", "CHUNKING"]])
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let postbox = Postbox::start(script).await;
            let (sent, doubt) = carry_all(&postbox, window).await;
            hold(&postbox, &sent, &doubt);
        });
    }
}
