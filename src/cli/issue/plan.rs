//! `issue plan`: on how many days an issue would go out, and why.

use serde_json::json;

use super::manage::newsletter_of;
use super::{Global, known};
use crate::cli::print;
use crate::values::ids::IssueId;
use crate::verbs::app::App;
use crate::verbs::problem::Problem;
use crate::verbs::{pace, warm_up};

/// Sites named in a line; the rest are counted.
const SITES_SHOWN: usize = 4;

pub(super) async fn show(global: &Global, app: &App, id: IssueId) -> anyhow::Result<()> {
    let issue = known(app, id).await?;
    let newsletter = newsletter_of(app, &issue).await?;
    let sites = pace::read_sites(app).map_err(Problem::Invalid)?;
    let mut tx = app.store.read().await?;
    let plan = warm_up::plan(&mut tx, &sites, &newsletter).await?;
    tx.commit().await?;
    if global.json {
        let day = |day: &crate::delivery::pace::ramp::Day| {
            let by_site: serde_json::Map<_, _> =
                day.by_site.iter().map(|(site, many)| (site.to_string(), (*many).into())).collect();
            json!({ "readers": day.many, "by_site": by_site })
        };
        let days: Vec<_> = plan.days.iter().map(day).collect();
        return print::json(&json!({
            "readers": plan.readers, "warming_up": plan.domain, "limit_a_day": plan.limit, "days": days
        }));
    }
    let why = match (&plan.domain, plan.limit) {
        (Some(domain), _) => format!("while {domain} is being warmed up"),
        (None, Some(limit)) => format!("as the relays may carry {limit} a day"),
        (None, None) => "as nothing limits it".to_owned(),
    };
    print::line(&format!("{} readers on {} days, {why}.", plan.readers, plan.days.len()))?;
    let rows = plan.days.iter().enumerate().map(|(number, day)| {
        let mut largest: Vec<(&str, u64)> = day.by_site.iter().map(|(site, many)| (site.as_str(), *many)).collect();
        largest.sort_by_key(|(_, many)| std::cmp::Reverse(*many));
        let mut named: Vec<String> =
            largest.iter().take(SITES_SHOWN).map(|(site, many)| format!("{site} {many}")).collect();
        if largest.len() > SITES_SHOWN {
            named.push(format!("{} others", largest.len() - SITES_SHOWN));
        }
        vec![(number + 1).to_string(), day.many.to_string(), named.join(", ")]
    });
    print::table(&["day", "readers", "at"], rows)
}
