"""Do logs come to where people read them: while they grow, whole, and whatever is killed on the way?"""
