"""Is this machine ready for the course? Every problem is printed with the command that mends it.

Exit code 1 if something is wrong that the course needs. What only instructors or developers need is a note.

examples:
  hyplearn doctor
  hyplearn doctor --json
"""

import dataclasses
import json

from hyplearn.course.doctor import examine
from hyplearn.course.layout import Course


def add_arguments(parser) -> None:
    parser.add_argument("--json", action="store_true", help="machine-readable, on stdout")


def run(args) -> int:
    findings = []
    for finding in examine(Course.find()):
        findings.append(finding)
        if not args.json:
            sign = "ok  " if not finding.fix else "FAIL" if finding.needed else "note"
            print(f"{sign}  {finding.name}: {finding.detail}", flush=True)
            if finding.fix:
                print(f"      fix: {finding.fix}", flush=True)
    if args.json:
        print(json.dumps([dataclasses.asdict(finding) for finding in findings], indent=1))
    return 1 if any(finding.fix and finding.needed for finding in findings) else 0
