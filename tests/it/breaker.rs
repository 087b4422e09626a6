//! Breakers go by what all processes saw together, and by what readers say.

use broadsheet::audience::status::Status;
use broadsheet::delivery::reply::{Answer, Reply, Stage};
use broadsheet::delivery::step::{End, Tried, step};
use broadsheet::store;
use broadsheet::store::issue::IssueState;
use broadsheet::values::clock::Millis;
use broadsheet::values::token::Keyring;
use broadsheet::verbs::app::App;
use broadsheet::verbs::{breakers, publish};

use crate::app::{TestApp, engines};

fn end(code: u16, text: &str) -> End {
    let tried = Tried { attempts: 0, first_at: Millis(0), now: Millis(0) };
    let stage = if code == 250 { Stage::AfterDot } else { Stage::RcptTo };
    step(tried, &Answer::Reply(Reply { stage, code, enhanced: None, text: text.into() }), 0.5).0
}

#[tokio::test]
async fn a_share_that_only_both_nodes_together_see_pauses_the_issue_and_outlives_a_restart() {
    for engine in engines() {
        let house = TestApp::on(engine).await;
        let node = || App::new(house.config.clone(), house.store.clone(), house.clock.clone(), keys());
        let newsletter = house.newsletter("smtp://127.0.0.1:9").await;
        house.readers(newsletter, 3).await;
        let issue = house.draft(newsletter).await;
        house.publish(issue, 0).await.expect("is published");
        let nodes = [node(), node()];
        for app in &nodes {
            for n in 0..100 {
                let end = if n % 20 == 1 { end(550, "user unknown") } else { end(250, "ok") };
                assert_eq!(app.breakers.saw(issue, &end), None, "{engine:?}: a hundred answers are too few");
            }
            breakers::share(app).await.expect("is told");
        }
        // A third one that has seen nothing of its own begins where they are.
        let third = node();
        breakers::share(&third).await.expect("asks");
        assert_eq!(third.breakers.saw(issue, &end(250, "ok")), None);
        breakers::share(&third).await.expect("is told");
        let why = third.breakers.saw(issue, &end(550, "user unknown")).expect("eleven of 202");
        assert!(why.starts_with("11 of 202 addresses"), "{engine:?}: {why}");
        breakers::pause(&third, vec![(issue, why)]).await;
        assert_eq!(house.issue(issue).await.state, IssueState::Paused);
        // Whoever resumes it has seen the numbers: they count for nobody any more.
        publish::resume(&house, issue).await.expect("goes on");
        for app in &nodes {
            breakers::share(app).await.expect("asks");
            assert_eq!(app.breakers.saw(issue, &end(550, "user unknown")), None, "{engine:?}");
        }
    }
}

fn keys() -> Keyring {
    Keyring::new(vec![("k1".into(), [7; 32])])
}

#[tokio::test]
async fn three_complaints_in_a_thousand_pause_what_is_left() {
    for engine in engines() {
        let house = TestApp::on(engine).await;
        let newsletter = house.newsletter("smtp://127.0.0.1:9").await;
        let readers = house.readers(newsletter, 5).await;
        let issue = house.draft(newsletter).await;
        house.publish(issue, 0).await.expect("is published");
        for _ in 0..1_000 {
            assert_eq!(house.breakers.saw(issue, &end(250, "ok")), None);
        }
        for (n, reader) in readers[..3].iter().enumerate() {
            breakers::share(&house).await.expect("looks");
            assert_eq!(house.issue(issue).await.state, IssueState::Sending, "{engine:?}: after {n}");
            let mut tx = house.store.write().await.expect("writes");
            let how = (Status::Complained, "complaint");
            store::subscription::end(&mut tx, newsletter, *reader, how.0, how.1, Some(issue)).await.expect("ends");
            tx.commit().await.expect("commits");
        }
        breakers::share(&house).await.expect("looks");
        let row = house.issue(issue).await;
        assert_eq!(row.state, IssueState::Paused, "{engine:?}");
        assert!(row.state_reason.starts_with("3 of 1000 readers called it spam"), "{}", row.state_reason);
        // Resumed for those who asked for it: only new complaints count.
        house.clock.advance(Millis::MINUTE);
        publish::resume(&house, issue).await.expect("goes on");
        for _ in 0..1_000 {
            assert_eq!(house.breakers.saw(issue, &end(250, "ok")), None);
        }
        breakers::share(&house).await.expect("looks");
        assert_eq!(house.issue(issue).await.state, IssueState::Sending, "{engine:?}");
    }
}
