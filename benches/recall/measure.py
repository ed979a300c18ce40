#!/usr/bin/env python3
"""Recall, other findings and fix rate of `agent scan` on public applications that lie on this machine.

    benches/recall/measure.py --agent target/release/agent vulpy=PATH dvpwa=PATH ... [SecurityEval=PATH]

What is planted where stands in planted.json: read from the applications by hand, a place and a family each. A planted
weakness is found when a finding of its family stands within three lines of it. What is found besides is listed with
--others, to be judged by a person. SecurityEval has one snippet a file, its CWE in the path: found when any finding of
the file has that CWE or one that is close to it. Prints Markdown.
"""

import argparse
import collections
import json
import os
import re
import subprocess
import sys
import time

NEAR = 3
# CWEs of SecurityEval's names that our families file under another number.
KIN = {
    "CWE-078": {78}, "CWE-080": {79}, "CWE-095": {94, 95}, "CWE-099": {22, 73, 99}, "CWE-088": {78, 88}, "CWE-641": {22},
    "CWE-326": {327, 326, 328}, "CWE-327": {327, 328}, "CWE-328": {328, 916, 327}, "CWE-759": {916, 759, 328},
    "CWE-760": {916, 760}, "CWE-116": {79, 116, 78}, "CWE-321": {798, 321}, "CWE-259": {798, 259}, "CWE-798": {798},
    "CWE-020": {20, 22, 78, 79, 89, 601, 611, 918, 502}, "CWE-943": {943, 89}, "CWE-425": {862, 306, 639}, "CWE-200": {209, 200},
    "CWE-215": {489, 209, 215}, "CWE-489": {489, 209}, "CWE-113": {113}, "CWE-117": {117}, "CWE-338": {330, 338}, "CWE-330": {330},
    "CWE-331": {330, 331}, "CWE-339": {330}, "CWE-295": {295}, "CWE-347": {347}, "CWE-377": {377}, "CWE-379": {377, 379},
    "CWE-611": {611}, "CWE-776": {611, 776}, "CWE-827": {611, 827}, "CWE-643": {643}, "CWE-732": {732}, "CWE-918": {918},
    "CWE-1004": {614, 1004}, "CWE-614": {614, 1004}, "CWE-434": {434}, "CWE-400": {1333, 400}, "CWE-730": {1333, 730},
    "CWE-1333": {1333}, "CWE-352": {352}, "CWE-942": {942}, "CWE-285": {862, 639, 285, 306}, "CWE-306": {306, 862}, "CWE-522": {522, 319, 256},
}


def scan(agent, path):
    begin = time.time()
    done = subprocess.run([agent, "scan", path, "--output-format", "json"], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(done.stderr)
    return json.loads(done.stdout), time.time() - begin


def near(finding, place):
    path, line, family = place
    first, last = finding["span"]["line"], finding["span"]["end_line"]
    return (
        finding["path"] == path
        and finding["family"] == family
        and first - NEAR <= line <= last + NEAR
    )


def percent(part, whole):
    return f"{part} of {whole}" + (f" ({round(100 * part / whole)} %)" if whole else "")


def applications(agent, paths, known, show_others):
    by_family = collections.defaultdict(lambda: [0, 0, 0])
    missed = []
    print("| application | language | planted found | of these with a fix | other findings | seconds |\n|---|---|---|---|---|---|")
    for name, path in paths.items():
        app = known[name]
        findings, seconds = scan(agent, path)
        hit = fixed = 0
        used = set()
        for place in app["planted"]:
            found = [f for f in findings if near(f, place)]
            row = by_family[(app["language"], place[2])]
            row[0] += 1
            if found:
                hit += 1
                row[1] += 1
                used.update(f["id"] for f in found)
                if any(f.get("fix") for f in found):
                    fixed += 1
                    row[2] += 1
            else:
                missed.append((name, *place))
        others = [f for f in findings if f["id"] not in used]
        print(
            f"| {name} | {app['language']} | {percent(hit, len(app['planted']))} | {percent(fixed, hit)} | {len(others)} | {seconds:.1f} |"
        )
        if show_others:
            for f in others:
                print(f"  other: {f['path']}:{f['span']['line']} {f['rule']}", file=sys.stderr)
    print("\n| language | family | planted | found | with a fix |\n|---|---|---|---|---|")
    for (language, family), (planted, found, fixed) in sorted(by_family.items()):
        print(f"| {language} | {family} | {planted} | {found} | {fixed} |")
    if missed:
        print("\nNot found: " + "; ".join(f"{name} {path}:{line} {family}" for name, path, line, family in missed) + ".")


def security_eval(agent, path):
    """One snippet a file below a folder that is named by its CWE."""
    total, hit = collections.Counter(), collections.Counter()
    for folder, _, files in sorted(os.walk(path)):
        for file in sorted(files):
            whole = os.path.join(folder, file)
            name = re.search(r"CWE-(\d+)", os.path.relpath(whole, path))
            if not (file.endswith(".py") and name):
                continue
            label = f"CWE-{int(name.group(1)):03d}"
            total[label] += 1
            findings, _ = scan(agent, whole)
            wanted = KIN.get(label, {int(name.group(1))}) | {int(name.group(1))}
            hit[label] += any(f["cwe"] in wanted for f in findings)
    print(f"\nSecurityEval: {percent(sum(hit.values()), sum(total.values()))} snippets.\n")
    print("| CWE | snippets | found |\n|---|---|---|")
    for label in sorted(total, key=lambda one: int(one[4:])):
        print(f"| {label} | {total[label]} | {hit[label]} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--agent", default="target/release/agent")
    parser.add_argument("--others", action="store_true", help="name the findings that are not planted, on standard error")
    parser.add_argument("paths", nargs="+", metavar="NAME=PATH")
    words = parser.parse_args()
    here = os.path.dirname(os.path.abspath(__file__))
    with open(os.path.join(here, "planted.json"), encoding="utf-8") as file:
        known = json.load(file)
    paths = dict(word.split("=", 1) for word in words.paths)
    snippets = paths.pop("SecurityEval", None)
    unknown = [name for name in paths if name not in known]
    if unknown:
        sys.exit(f"planted.json knows nothing of {', '.join(unknown)}; it knows {', '.join(known)}")
    if paths:
        applications(words.agent, paths, known, words.others)
    if snippets:
        security_eval(words.agent, snippets)


if __name__ == "__main__":
    main()
