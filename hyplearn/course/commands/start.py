"""Your own copy of an exercise set, in mywork/NAME/. A copy that you have is never overwritten.

examples:
  hyplearn start 01_parallel_postulate            make the copy
  hyplearn start 01_parallel_postulate --reset    a fresh one; yours goes to mywork/backup/
"""

from hyplearn.course.layout import Course
from hyplearn.course.student import start


def add_arguments(parser) -> None:
    parser.add_argument("name", metavar="NAME", help="as in 01_parallel_postulate")
    parser.add_argument("--reset", action="store_true", help="begin again; your copy is kept in mywork/backup/")


def run(args) -> int:
    course = Course.find()
    (name,) = course.select([args.name])
    existed = course.mywork(name).exists()
    copy, backup = start(course, name, args.reset)
    if backup:
        print(f"kept your copy as {course.relative(backup)}")
    if existed and not backup:
        print(f"{course.relative(copy)} is there already and stays as it is (--reset begins again)")
    else:
        print(f"made {course.relative(copy)}")
    print("open it with: hyplearn lab")
    return 0
