//! The fixers of the wider families, by name: each finds its place in the tree and hands on.

use super::super::{Draft, Fixer, Site};
use super::syntax::Js;
use super::{argument_of, bring, options, parse, read, values};
use crate::finding::{TextEdit, Tier};
use tree_sitter::Node;

/// The fixer of a name in a JavaScript rule file.
pub(super) fn named(name: &str) -> Option<Fixer> {
    Some(match name {
        "js-escape" => |site| {
            drafted(site, "Escape the value where it enters the page.", |js, place| {
                values::escape(js, place.argument)
            })
        },
        "js-one-line" => |site| {
            drafted(site, "Take line breaks out of the value.", |js, place| {
                values::one_line(js, place.argument)
            })
        },
        "js-regex" => |site| {
            drafted(site, "Match the text itself, not a pattern that a client writes.", |js, place| {
                values::regex(js, place.argument)
            })
        },
        "js-ldap" => |site| {
            drafted(site, "Escape the value in the filter.", |js, place| values::ldap(js, place.argument))
        },
        "js-redact" => |site| {
            drafted(site, "Keep the secret out of the log.", |js, place| {
                Ok(values::redact(js, place.argument))
            })
        },
        "js-compare" => {
            |site| drafted(site, "Compare in constant time.", |js, place| bring::compare(js, place.whole))
        }
        "js-koa-body" => |site| {
            drafted(site, "Log the error on the server and send the client a generic text.", |js, place| {
                options::withhold(js, place.argument)
            })
        },
        "js-old-yaml" => {
            |site| drafted(site, "Load plain YAML only.", |js, place| options::safe_loader(js, place.call()?))
        }
        "js-text" => fix_text,
        "js-template" => fix_template,
        "js-xpath" => |site| {
            drafted(site, "Hand the value over as a variable of the XPath.", |js, place| {
                values::xpath(js, place.call()?, place.argument)
            })
        },
        "js-eval" => fix_eval,
        "js-ssrf" => fix_request,
        "js-redirect" => fix_redirect,
        "js-option" => fix_option,
        "js-cookie" => fix_cookie,
        "js-origins" => fix_origins,
        "js-hash" => fix_hash,
        "js-mode" => |site| {
            drafted(site, "Give rights to the owner only.", |js, place| options::mode(js, place.call()?))
        },
        "js-random" => |site| {
            drafted(site, "Take the system's generator, which cannot be guessed.", |js, place| {
                options::random(js, place.call()?)
            })
        },
        "js-jwt-algorithms" => |site| {
            drafted(site, "Take signed tokens only.", |js, place| options::algorithms(js, place.call()?))
        },
        "js-jwt-verify" => |site| {
            drafted(site, "Verify the token with its key and a pinned algorithm.", |js, place| {
                options::verify(js, place.call()?)
            })
        },
        "js-delete-statement" => {
            |site| drafted(site, "Leave the default.", |js, place| options::delete(js, place.argument))
        }
        "js-prototype" => |site| {
            drafted(site, "Pass over keys that lead to the prototype.", |js, place| {
                options::guard_keys(js, place.whole)
            })
        },
        _ => return None,
    })
}

/// A place in the tree.
struct Place<'t> {
    /// What the finding points at.
    whole: Node<'t>,
    call: Option<Node<'t>>,
    /// The dangerous value; the whole when it is not told apart.
    argument: Node<'t>,
}

impl<'t> Place<'t> {
    fn call(&self) -> Result<Node<'t>, String> {
        self.call.ok_or_else(|| "the call is not found in the tree".to_owned())
    }
}

/// A draft of tier A with what `edit` gives; the rule file's words count where it has some.
fn drafted(
    site: &Site<'_>,
    summary: &str,
    edit: impl for<'t> FnOnce(&Js<'t>, &Place<'t>) -> Result<Vec<TextEdit>, String>,
) -> Result<Draft, String> {
    let tree = parse(site)?;
    let js = read(site, &tree);
    let node =
        |start, end| js.node_at(start..end).ok_or_else(|| "the place is not found in the tree".to_owned());
    let whole = node(site.expr.at.start, site.expr.at.end)?;
    let call = site.expr.as_call().and_then(|_| js.call_at(site.expr.at.start..site.expr.at.end));
    let argument = match call {
        Some(call) if site.argument.at != site.expr.at => {
            argument_of(&js, site, call).or_else(|_| node(site.argument.at.start, site.argument.at.end))?
        }
        _ => node(site.argument.at.start, site.argument.at.end)?,
    };
    let edits = edit(&js, &Place { whole, call, argument })?;
    let with = &site.spec.with;
    Ok(Draft {
        edits,
        tier: (with.get("tier").map(String::as_str) == Some("B")).then_some(Tier::B),
        summary: with.get("summary").cloned().unwrap_or_else(|| summary.to_owned()),
        by_hand: with.get("by_hand").cloned().unwrap_or_default(),
        ..Draft::default()
    })
}

fn with_hand(draft: Result<Draft, String>, by_hand: &str) -> Result<Draft, String> {
    draft.map(|draft| Draft { tier: Some(Tier::B), by_hand: by_hand.to_owned(), ..draft })
}

fn fix_text(site: &Site<'_>) -> Result<Draft, String> {
    let draft = drafted(
        site,
        "Make the value a text, so that it cannot be an object with operators.",
        |js, place| values::text(js, place.argument),
    );
    with_hand(draft, "Where a number or a list is meant, convert to that instead.")
}

fn fix_template(site: &Site<'_>) -> Result<Draft, String> {
    let mark = |key: &str| site.spec.with.get(key).cloned().unwrap_or_default();
    let (open, close) = (mark("open"), mark("close"));
    drafted(site, "Keep the template constant and hand the value over as a variable.", |js, place| {
        values::template(js, place.call()?, place.argument, (&open, &close))
    })
}

fn fix_eval(site: &Site<'_>) -> Result<Draft, String> {
    let draft = drafted(site, "Compute arithmetic only instead of running code.", |js, place| {
        bring::evaluate(js, place.call()?)
    });
    with_hand(draft, "Anything but numbers, + - * / % ** and parentheses is refused now.")
}

fn fix_request(site: &Site<'_>) -> Result<Draft, String> {
    let draft = drafted(site, "Refuse hosts that are not public.", |js, place| {
        bring::request(js, place.call()?, place.argument)
    });
    with_hand(draft, "Where the hosts are known, compare with a list of them; do not follow redirects.")
}

fn fix_redirect(site: &Site<'_>) -> Result<Draft, String> {
    let draft =
        drafted(site, "Go to places on this site only.", |js, place| bring::redirect(js, place.argument));
    with_hand(draft, "Targets on other sites lead to the start page now; list those that are meant.")
}

fn fix_option(site: &Site<'_>) -> Result<Draft, String> {
    drafted(site, "Give the safe value.", |js, place| options::set(js, place.call()?, &site.spec.with))
}

fn fix_cookie(site: &Site<'_>) -> Result<Draft, String> {
    let session = site.expr.as_call().is_some_and(crate::scan::detect::is_session_cookie);
    let mut draft = drafted(
        site,
        "Send the cookie over HTTPS only, and keep session cookies from scripts.",
        |js, place| options::cookie(js, place.call()?, session),
    )?;
    draft.by_hand = "Browsers send it over HTTPS only: behind a proxy set `trust proxy`.".into();
    Ok(draft)
}

fn fix_origins(site: &Site<'_>) -> Result<Draft, String> {
    let draft = drafted(site, "Allow the origins that ALLOWED_ORIGINS lists.", |js, place| {
        options::origins(js, place.call()?)
    });
    with_hand(draft, "Set ALLOWED_ORIGINS to the addresses of your front ends, with commas between them.")
}

fn fix_hash(site: &Site<'_>) -> Result<Draft, String> {
    let draft = drafted(site, "Take SHA-256.", |js, place| options::hash(js, place.call()?));
    with_hand(
        draft,
        "Digests that are stored or compared elsewhere were made with the old function: make them anew.",
    )
}
