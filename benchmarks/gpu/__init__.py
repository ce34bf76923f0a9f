"""One check of mtbert on a GPU: is it right, how fast is it, and what do the experiments say?"""
