"""
Calculated fields: values that an operator computes from a person, in the language of data preparation.

A field is read and compiled once; a calculation has no effect but its value, sees plain JSON alone, and takes and makes
a bounded amount.
"""

from headrace.mapping.calculated import of_arrays, of_dates, of_hashes, of_logic, of_numbers, of_objects, of_texts
from headrace.mapping.calculated.calculation import Calculation, calculation
from headrace.mapping.calculated.values import CalculationError

#: The modules whose functions there are, in the order of the reference.
GROUPS = (of_texts, of_hashes, of_dates, of_arrays, of_objects, of_logic, of_numbers)

__all__ = ["GROUPS", "Calculation", "CalculationError", "calculation"]
