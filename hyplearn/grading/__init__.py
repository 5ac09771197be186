"""Exercises and what becomes of the answers: specs, checks that explain, trusted verdicts.

spec      what an exercise is: reference, inputs, properties, named mistakes
specs/    the exercises, one module per lecture
check     check(f): compares an answer with its spec and explains what went wrong
samples   sample submissions, made from a solution
"""

from hyplearn.grading.check import Checker, Verdict, checker
from hyplearn.grading.spec import (
    Case,
    Draw,
    Exercise,
    ExerciseSet,
    Mistake,
    Property,
    Written,
    load_set,
    mistake,
    set_names,
)

__all__ = [
    "Case",
    "Checker",
    "Draw",
    "Exercise",
    "ExerciseSet",
    "Mistake",
    "Property",
    "Verdict",
    "Written",
    "checker",
    "load_set",
    "mistake",
    "set_names",
]
