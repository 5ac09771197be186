"""Check your copy of an exercise set and pack it as mywork/NAME.zip, to be handed in.

example:
  hyplearn submit 01_parallel_postulate
"""

from hyplearn.course.layout import Course
from hyplearn.course.student import submit


def add_arguments(parser) -> None:
    parser.add_argument("name", metavar="NAME", help="as in 01_parallel_postulate")


def run(args) -> int:
    course = Course.find()
    (name,) = course.select([args.name])
    archive, remarks = submit(course, name)
    for remark in remarks:
        print(f"note: {remark}")
    print(f"hand in this file: {course.relative(archive)}")
    return 0
